/// The right of a node to declare others dead: only one has it whose own beats were all answered soon for a whole
/// lease, by what was confirmed as the primary in that time.
///
/// An open connection proves nothing, a paused Redis breaks none; so an outage of Redis tells nobody dead. Nor does a server
/// that the sentinels may have left: there everybody seems dead who has gone with them. Pure: times are milliseconds, `now`
/// by the node's own monotonic clock.
package struct DeclarationRight: Sendable {
    private let lease: Int64
    private let interval: Int64
    /// How soon is soon: a third of the lease.
    private let tolerance: Int64
    /// Since when all has been well, and how far Redis's clock was ahead by the last answer.
    private var good: (since: Int64, ahead: Int64)?
    private var lastAnswer: Int64 = 0
    /// Until when the server counts as the primary.
    private var confirmedUntil = Int64.min

    package init(lease: Int64, interval: Int64) {
        self.lease = lease
        self.interval = interval
        tolerance = lease / 3
    }

    /// A beat that went out at `sent` was answered; `redis` is Redis's clock in the answer, which may have stepped: nobody's
    /// death is seen by it.
    package mutating func answered(sent: Int64, now: Int64, redis: Int64) {
        defer { lastAnswer = now }
        guard now - sent <= tolerance else {
            good = nil
            return
        }
        let isSteady = now - lastAnswer <= interval + tolerance
        good = (isSteady ? good?.since ?? now : now, redis - now)
    }

    /// What knows where the primary is said that it is where the links lead.
    package mutating func confirmed(until end: Int64) {
        confirmedUntil = end
    }

    /// A beat failed, or the node has no place in the index.
    package mutating func failed() {
        good = nil
    }

    package func holds(now: Int64) -> Bool {
        guard let good, now <= confirmedUntil else { return false }
        return now - good.since >= lease && now - lastAnswer <= interval + tolerance
    }

    /// What Redis's clock shows about now, for a beat that may declare others dead; nil where it may not.
    ///
    /// A beat that a paused Redis reads only when it wakes comes much later than this and declares nobody.
    package func expected(now: Int64) -> Int64? {
        guard let good, holds(now: now) else { return nil }
        return now + good.ahead
    }
}
