import RedisClient

/// Tells a partition which server this is, so that its rooms' epochs are closed where it is another, or was set back;
/// answers the term.
package struct MeetServer: Script {
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

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
