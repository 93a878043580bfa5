/// A node's hold on its name: what the next beat says, and what the answer means.
///
/// Pure: times are milliseconds of the node's own monotonic clock.
package struct Lease: Sendable {
    /// What the next beat asks for.
    package enum Beat: Hashable, Sendable {
        /// With the highest incarnation this node has had.
        case register(after: Int64)
        /// With the end of the lease that was answered last, by Redis's clock; 0 for none yet.
        case renew(incarnation: Int64, leaseEnd: Int64)
    }

    /// What Redis answered.
    package enum Answer: Hashable, Sendable {
        case registered(incarnation: Int64)
        /// Until then, by Redis's clock.
        case renewed(leaseEnd: Int64)
        /// The entry is gone: swept, or the whole index forgotten.
        case lost
        /// Another instance holds the name, and its lease runs.
        case taken
    }

    package enum Outcome: Hashable, Sendable {
        /// The node is in the index.
        case held
        /// It was in the index and is no longer: register at once, and compare all that is followed.
        case lost
        /// Another instance has the name, for now: ask again with the next beat.
        case waiting
        /// The name belongs to another: this node must end.
        case refused
    }

    /// How long a name that is held by another is waited for, in milliseconds: two leases at the start, one by a node that
    /// has held it. So long a copy of Redis may show the lease of one that is gone; whoever lives renews it.
    private var patience: Int64 { hasHeld ? lease : 2 * lease }
    private let lease: Int64
    private var waitingSince: Int64?
    private var hasHeld = false
    package private(set) var incarnation: Int64?
    private var leaseEnd: Int64 = 0
    private var highest: Int64 = 0

    package init(leaseMilliseconds: Int64) {
        lease = leaseMilliseconds
    }

    package var next: Beat {
        incarnation.map { .renew(incarnation: $0, leaseEnd: leaseEnd) } ?? .register(after: highest)
    }

    /// The present incarnation is of no use any more, fenced or unknown to another run of Redis: the next beat takes one
    /// above it and above `fence`.
    package mutating func renounce(above fence: Int64) {
        highest = max(highest, fence)
        incarnation = nil
    }

    package mutating func received(_ answer: Answer, now: Int64) -> Outcome {
        switch answer {
        case .registered(let given):
            incarnation = given
            highest = given
            leaseEnd = 0
            hasHeld = true
            waitingSince = nil
            return .held
        case .renewed(let end):
            leaseEnd = end
            return .held
        case .lost:
            incarnation = nil
            return .lost
        case .taken:
            incarnation = nil
            let since = waitingSince ?? now
            waitingSince = since
            return now - since > patience ? .refused : .waiting
        }
    }
}
