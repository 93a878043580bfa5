/// A node's hold on its name: what the next beat says, and what the answer means.
///
/// Pure: times are milliseconds of the node's own monotonic clock.
package struct Lease: Sendable {
    /// The request of the next beat.
    package enum Beat: Hashable, Sendable {
        /// With the highest incarnation this node has had; in the place of another instance that has not beaten for a lease.
        case register(after: Int64, over: LastBeat? = nil)
        /// With the number of the beat that was answered last; 0 for none yet.
        case renew(incarnation: Int64, beat: Int64)
    }

    /// The answer of Redis.
    package enum Answer: Hashable, Sendable {
        case registered(incarnation: Int64)
        /// With the beat of this number.
        case renewed(beat: Int64)
        /// The entry is gone: swept, or the whole index forgotten.
        case lost
        /// Another instance, whose last beat this was, holds the name.
        case taken(by: LastBeat)
    }

    package enum Outcome: Hashable, Sendable {
        /// The node is in the index.
        case held
        /// It was in the index and is no longer: register at once, and compare all that is followed.
        case lost
        /// Another instance has the name, for now: ask again with the next beat.
        case waiting
        /// The other has not beaten for a lease: ask for the name at once.
        case free
        /// The name belongs to another, which lives: this node must end.
        case refused
    }

    /// Waiting for a name that another instance has.
    private struct Wait {
        var tenant: LastBeat
        let since: Int64
        /// When the tenant's last beat was seen first.
        var beatenAt: Int64
        var lastAnswer: Int64
    }

    /// How long a name that is held by another is waited for, in milliseconds: two leases at the start, one by a node that
    /// has held it. Whoever lives renews it in that time; whoever does not is a copy, or left behind.
    private var patience: Int64 { hasHeld ? lease : 2 * lease }
    private let lease: Int64
    private var wait: Wait?
    private var hasHeld = false
    package private(set) var incarnation: Int64?
    private var beat: Int64 = 0
    private var highest: Int64 = 0

    package init(leaseMilliseconds: Int64) {
        lease = leaseMilliseconds
    }

    package var next: Beat {
        if let incarnation { return .renew(incarnation: incarnation, beat: beat) }
        let former = wait.flatMap { $0.lastAnswer - $0.beatenAt >= lease ? $0.tenant : nil }
        return .register(after: highest, over: former)
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
            beat = 0
            hasHeld = true
            wait = nil
            return .held
        case .renewed(let number):
            beat = number
            wait = nil
            return .held
        case .lost:
            incarnation = nil
            wait = nil
            return .lost
        case .taken(let tenant):
            incarnation = nil
            return taken(by: tenant, now: now)
        }
    }

    private mutating func taken(by tenant: LastBeat, now: Int64) -> Outcome {
        // What was seen before a silence says nothing of who has beaten meanwhile.
        guard var wait, now - wait.lastAnswer <= lease else {
            self.wait = Wait(tenant: tenant, since: now, beatenAt: now, lastAnswer: now)
            return .waiting
        }
        defer { self.wait = wait }
        wait.lastAnswer = now
        guard tenant == wait.tenant else {
            (wait.tenant, wait.beatenAt) = (tenant, now)
            return now - wait.since > patience ? .refused : .waiting
        }
        return now - wait.beatenAt >= lease ? .free : .waiting
    }
}
