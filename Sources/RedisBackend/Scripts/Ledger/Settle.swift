import GatewayCore
import RedisClient

/// Moves a receiver's place beyond what it has taken, or beyond what was given up; keeps why an attempt failed.
package struct Settle: Script {
    package enum What: Hashable, Sendable {
        case sent(Entries)
        /// Entries that go among the dead letters.
        case givenUp(Entries, reason: String)
        /// The receiver was told of this loss.
        case lossTold(receipt: String)
        /// Entries of this replay.
        case replayed(Entries, receipt: String)
        case replayEnded(receipt: String)
        /// An attempt has failed.
        case failed(problem: String)
    }

    /// Ids of entries, in the ledger's order.
    package struct Entries: Hashable, Sendable {
        /// Those that the receiver wants.
        package let wanted: [String]
        package let others: [String]
        /// The last of all.
        package let last: String

        package init(wanted: [String], others: [String], last: String) {
            self.wanted = wanted
            self.others = others
            self.last = last
        }

        fileprivate static let none = Entries(wanted: [], others: [], last: "-")
    }

    package enum Answer: Hashable, Sendable {
        case settled
        /// The token is no longer the caller's.
        case refused
    }

    let assignment: LedgerAssignment
    /// Its name.
    let receiver: String
    let what: What
    /// How much each list of dead letters keeps.
    let deadLetters: Publish.Bound

    package init(_ what: What, of assignment: LedgerAssignment, for receiver: String, deadLetters: Publish.Bound) {
        self.assignment = assignment
        self.receiver = receiver
        self.what = what
        self.deadLetters = deadLetters
    }

    package var file: RedisScript { Scripts.settle }

    package func spelled(with keys: Keys) -> ScriptCall {
        let (word, note, entries): (RedisArgument, String, Entries) =
            switch what {
            case .sent(let entries): ("sent", "", entries)
            case .givenUp(let entries, let reason): ("dead", reason, entries)
            case .lossTold(let receipt): ("loss", receipt, .none)
            case .replayed(let entries, let receipt): ("replay", receipt, entries)
            case .replayEnded(let receipt): ("quit", receipt, .none)
            case .failed(let problem): ("note", problem, .none)
            }
        return ScriptCall(
            keys: keys.ledger(of: assignment, for: receiver),
            arguments: [
                .string(assignment.token), .string(receiver), word, .string(note), .count(deadLetters.entries),
                .count(deadLetters.bytes), .count(entries.wanted.count), .string(entries.last),
            ] + (entries.wanted + entries.others).map { .string($0) })
    }
}

extension Settle.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        if reply.integer == 1 {
            self = .settled
        } else if reply.string == "refused" {
            self = .refused
        } else {
            return nil
        }
    }
}
