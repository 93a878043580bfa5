import RedisClient

/// Tells how a receiver fares in a partition.
package struct ReadBacklog: Script {
    package struct Answer: Hashable, Sendable {
        /// Events that it has not settled.
        package let lag: Int
        /// The first of them.
        package let oldest: LedgerEntryID?
        package let deadLetters: Int
        package let givenUp: Int
        package let lost: Int
        package let isReplaying: Bool
        /// In ms by Redis's clock; nil where it was never sent anything.
        package let lastSent: Int64?
        package let lastFailure: Failure?
    }

    package struct Failure: Hashable, Sendable {
        /// In ms by Redis's clock.
        package let timestamp: Int64
        package let problem: String
    }

    let receiver: String
    let partition: Partition

    package init(of receiver: String, in partition: Partition) {
        self.receiver = receiver
        self.partition = partition
    }

    package var file: RedisScript { Scripts.backlog }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [
                keys.webhooks(partition), keys.events(partition), keys.deadLetters(of: receiver, partition),
            ], arguments: [.string(receiver)])
    }
}

extension ReadBacklog.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let lag = reply[0].integer, let dead = reply[2].integer, let givenUp = reply[3].integer,
            let lost = reply[4].integer, let replays = reply[5].integer
        else { return nil }
        self.lag = Int(lag)
        oldest = reply[1].string.flatMap { LedgerEntryID($0) }
        deadLetters = Int(dead)
        self.givenUp = Int(givenUp)
        self.lost = Int(lost)
        isReplaying = replays == 1
        lastSent = reply[6].moment
        lastFailure = reply[7].string.flatMap(ReadBacklog.Failure.init)
    }
}

extension ReadBacklog.Failure {
    /// `timestamp problem`; nil for anything else.
    fileprivate init?(_ text: String) {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let timestamp = Int64(parts[0]) else { return nil }
        self.timestamp = timestamp
        problem = String(parts[1])
    }
}
