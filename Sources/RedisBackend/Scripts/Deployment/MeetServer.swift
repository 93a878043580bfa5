import RedisClient

/// Tells a partition which server this is, so that its rooms' epochs are closed where it is another, or was set back.
package struct MeetServer: Script {
    package struct Answer: Hashable, Sendable {
        package let term: Int64
        /// When all that lies there began, in milliseconds: where it is another time than before, all was forgotten.
        package let birth: String
    }

    let partition: Partition
    /// How often the server was set back under one identity; 0 also where that is not known.
    let round: Int64

    package init(in partition: Partition, round: Int64 = 0) {
        self.partition = partition
        self.round = round
    }

    package var file: RedisScript { Scripts.meet }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.state(partition)], arguments: [.server, .integer(round)])
    }
}

extension MeetServer.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let term = reply[0].integer, let birth = reply[1].string else { return nil }
        self.init(term: term, birth: birth)
    }
}
