import GatewayCore

/// What Redis refuses this node of what it has to do for all of them, by an ACL for instance: then others are to do it.
///
/// A call that is refused stays in mind until it is carried out, or for a while: once the partitions are others' nothing
/// is asked any more, and what was refused has to be tried again some time. Redis as a whole taking no writes is no
/// trouble of this node's, nor is a link that is away. Pure.
package struct Duties: Sendable {
    private struct Refusal {
        let reason: String
        let since: MonotonicTime
    }

    private let patience: Duration
    private var refused: [String: Refusal] = [:]

    /// - Parameter patience: after which what was refused is tried again.
    package init(patience: Duration) {
        self.patience = patience
    }

    /// A call was carried out, or refused for a reason.
    package mutating func answered(_ call: String, refusal: String?, now: MonotonicTime) {
        if refusal == nil, refused.isEmpty { return }
        refused[call] = refusal.map { Refusal(reason: $0, since: now) }
    }

    /// What is refused; nil where nothing is, as far as is known.
    package mutating func problem(now: MonotonicTime) -> String? {
        guard !refused.isEmpty else { return nil }
        refused = refused.filter { now - $0.value.since < patience }
        return refused.min { $0.key < $1.key }.map { "\($0.key): \($0.value.reason)" }
    }
}
