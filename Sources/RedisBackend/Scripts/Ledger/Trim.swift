import GatewayCore
import RedisClient

/// Lets go of entries of the ledger that every receiver has settled, beyond those kept for being sent again.
package struct Trim: Script {
    package enum Answer: Hashable, Sendable {
        /// The receivers whose places went, since no coordinator knows them any more.
        case trimmed(forgotten: [String])
        /// The token is no longer the caller's.
        case refused
    }

    let assignment: LedgerAssignment
    /// The names of those that there are.
    let receivers: [String]
    /// Settled entries that stay, about.
    let kept: Int
    /// After how long the place of a receiver goes that is none of these; nil: never.
    let forgottenAfter: Duration?

    package init(_ assignment: LedgerAssignment, receivers: [String], kept: Int, forgottenAfter: Duration?) {
        self.assignment = assignment
        self.receivers = receivers
        self.kept = kept
        self.forgottenAfter = forgottenAfter
    }

    package var file: RedisScript { Scripts.trim }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(number: assignment.partition)
        return ScriptCall(
            keys: [keys.coordinator(partition), keys.webhooks(partition), keys.events(partition)],
            arguments: [.string(assignment.token), .count(kept), forgottenAfter.map { .milliseconds($0) } ?? ""]
                + receivers.map { .string($0) })
    }
}

extension Trim.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        if reply.string == "refused" {
            self = .refused
        } else if reply.array != nil {
            self = .trimmed(forgotten: reply.strings)
        } else {
            return nil
        }
    }
}
