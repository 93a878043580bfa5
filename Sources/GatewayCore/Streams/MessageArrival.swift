/// When messages came to the node, for whoever measures how long they take.
package struct MessageArrival: Hashable, Sendable {
    /// The end of the turn in which they came.
    package let time: MonotonicTime
    /// By how many milliseconds Redis's clock is ahead of the node's monotonic one; nil while that is not known.
    package let redisAhead: Int64?

    package init(time: MonotonicTime, redisAhead: Int64?) {
        self.time = time
        self.redisAhead = redisAhead
    }

    /// How long ago a moment by Redis's clock was; not below zero, since the clocks are compared to the millisecond.
    package func age(of timestamp: Int64, now: MonotonicTime) -> Duration? {
        redisAhead.map { .milliseconds(max(0, now.nanoseconds / 1_000_000 + $0 - timestamp)) }
    }
}
