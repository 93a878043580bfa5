import GatewayCore
import RedisClient

/// Gives a receiver's next events of a partition: a loss it must be told of, what it has not settled, what is to be sent
/// again, what is new.
package struct Gather: Script {
    package enum Answer: Sendable {
        case nothing
        case gathered(Gathered)
        /// The token is no longer the caller's.
        case refused
    }

    package struct Gathered: Sendable {
        package let kind: LedgerBatch.Kind
        /// Redis's clock in milliseconds.
        package let now: Int64
        /// How many of the partition's events the receiver has not settled.
        package let lag: Int
        package let hasMore: Bool
        package let births: LedgerBirths
        /// The loss, or the replay, as `Settle` is told it; else empty.
        package let receipt: String
        package let entries: [LedgerEntry]
    }

    /// Entries in one answer.
    package static let most = 100
    /// After so many bytes no more entries are added to one: a message of a room may bring 64 KiB or more.
    package static let mostBytes = 256 * 1024
    /// How far back a receiver begins that is new: longer than a node takes from its start to its first look.
    private static let beginning = Duration.seconds(120)

    let assignment: LedgerAssignment
    /// Its name.
    let receiver: String
    /// The name of birth that begins where this is another run of Redis.
    let candidate: String

    package init(_ assignment: LedgerAssignment, for receiver: String, candidate: String) {
        self.assignment = assignment
        self.receiver = receiver
        self.candidate = candidate
    }

    package var file: RedisScript { Scripts.gather }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: keys.ledger(of: assignment, for: receiver),
            arguments: [
                .string(assignment.token), .string(receiver), .server, .string(candidate), .count(Gather.most),
                .count(Gather.mostBytes), .milliseconds(Gather.beginning),
            ])
    }
}

extension Keys {
    /// What `gather` and `settle` read and write.
    func ledger(of assignment: LedgerAssignment, for receiver: String) -> [Key] {
        let partition = Partition(number: assignment.partition)
        return [
            coordinator(partition), webhooks(partition), events(partition), deadLetters(of: receiver, partition),
            withheld(partition),
        ]
    }
}

extension Gather.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        let kind: LedgerBatch.Kind
        switch reply[0].string {
        case "none":
            self = .nothing
            return
        case "refused":
            self = .refused
            return
        case "loss": kind = .loss
        case "news": kind = .news
        case "replay": kind = .replay
        default: return nil
        }
        guard let now = reply[1].integer, let lag = reply[2].integer, let hasMore = reply[3].integer,
            let births = reply[4].string, let receipt = reply[5].string
        else { return nil }
        self = .gathered(
            Gather.Gathered(
                kind: kind, now: now, lag: Int(lag), hasMore: kind == .loss || hasMore == 1,
                births: LedgerBirths(births), receipt: receipt,
                entries: (6..<max(6, reply.count)).compactMap { index in
                    reply[index][0].string.map { LedgerEntry(id: $0, fields: reply[index][1].pairs) }
                }))
    }
}
