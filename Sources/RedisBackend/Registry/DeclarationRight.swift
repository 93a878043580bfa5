/// Whether a node may declare others dead: only one whose own beats were all answered soon for a whole lease, with
/// Redis's clock in step with its own.
///
/// An open connection proves nothing, a paused Redis breaks none; so an outage of Redis tells nobody dead. Pure: times
/// are milliseconds, `now` by the node's own monotonic clock.
package struct DeclarationRight: Sendable {
    private let lease: Int64
    private let interval: Int64
    /// How soon is soon, and how far the clocks may drift apart within a lease: a third of the lease.
    private let tolerance: Int64
    /// Since when all has been well, and how far Redis's clock was ahead then.
    private var good: (since: Int64, ahead: Int64)?
    private var lastAnswer: Int64 = 0

    package init(lease: Int64, interval: Int64) {
        self.lease = lease
        self.interval = interval
        tolerance = lease / 3
    }

    /// A beat that went out at `sent` was answered; `redis` is Redis's clock in the answer.
    package mutating func answered(sent: Int64, now: Int64, redis: Int64) {
        let ahead = redis - now
        defer { lastAnswer = now }
        guard let known = good, now - sent <= tolerance, now - lastAnswer <= interval + tolerance,
            abs(ahead - known.ahead) <= tolerance
        else {
            good = now - sent <= tolerance ? (now, ahead) : nil
            return
        }
    }

    /// A beat failed, or the node has no place in the index.
    package mutating func failed() {
        good = nil
    }

    package func holds(now: Int64) -> Bool {
        guard let good else { return false }
        return now - good.since >= lease && now - lastAnswer <= interval + tolerance
    }

    /// Until when, by Redis's clock, a beat that goes out now may declare; 0: not at all.
    ///
    /// A beat that a paused Redis reads only when it wakes comes later than this and declares nobody.
    package func limit(now: Int64) -> Int64 {
        guard let good, holds(now: now) else { return 0 }
        return now + good.ahead + tolerance
    }
}
