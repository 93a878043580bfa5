/// The limit on frames that a client may send.
package struct RateLimit: Hashable, Sendable {
    /// Frames a second, in the long run.
    package var perSecond: Int
    /// Frames at once after a rest.
    package var burst: Int

    package init(perSecond: Int = 100, burst: Int = 200) {
        self.perSecond = perSecond
        self.burst = burst
    }

    /// Rooms joined by one connection: each is told to all who are there.
    package static let joins = RateLimit(perSecond: 10, burst: 200)

    /// Refused frames after which a client counts as one that does not heed its refusals: ten bursts.
    package var patience: Int { 10 * burst }

    fileprivate var nanosecondsPerFrame: Int64 { 1_000_000_000 / Int64(max(1, perSecond)) }
}

/// A token bucket, kept as the moment at which it will be full again.
package struct RateLimiter: Sendable {
    package enum Verdict: Hashable, Sendable {
        case accepted
        /// Too many: the frame is not served.
        case refused
        /// The client goes on in spite of its refusals: it is to be closed.
        case exhausted
    }

    private var fullAt: MonotonicTime
    /// Frames refused since the bucket was last full.
    private var refusals: Int32 = 0

    /// Begins with a full bucket.
    package init(now: MonotonicTime) {
        fullAt = now
    }

    /// How long a frame would be refused.
    package func wait(now: MonotonicTime, limit: RateLimit) -> Duration {
        let credit = limit.nanosecondsPerFrame * Int64(limit.burst - 1)
        return .nanoseconds(max(0, fullAt.nanoseconds - now.nanoseconds - credit))
    }

    /// Counts one frame; a refused one takes nothing out of the bucket.
    ///
    /// - Parameter weight: as how many frames it counts; where the bucket holds fewer, those after it wait for the rest.
    package mutating func spend(now: MonotonicTime, limit: RateLimit, weight: Int = 1) -> Verdict {
        if fullAt <= now {
            fullAt = now
            refusals = 0
        }
        let cost = limit.nanosecondsPerFrame
        guard fullAt.nanoseconds - now.nanoseconds <= cost * Int64(limit.burst - 1) else {
            refusals += 1
            return refusals > limit.patience ? .exhausted : .refused
        }
        fullAt.nanoseconds += cost * Int64(weight)
        return .accepted
    }
}
