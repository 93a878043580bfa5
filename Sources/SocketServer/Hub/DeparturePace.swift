import GatewayCore

/// The times at which clients are closed that are to come back, so that they do not all do so at once. Pure.
struct DeparturePace {
    private var next = MonotonicTime(nanoseconds: .min)

    /// How long the next one is to wait.
    mutating func next(now: MonotonicTime, perSecond: Int) -> Duration {
        let time = max(now, next)
        next = time + .nanoseconds(1_000_000_000 / Int64(max(1, perSecond)))
        return time - now
    }
}
