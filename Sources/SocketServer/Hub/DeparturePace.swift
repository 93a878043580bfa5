import GatewayCore
import Synchronization

/// The times at which clients of a node are closed that are to come back, so that they do not all do so at once. Any thread.
package final class DeparturePace: Sendable {
    private let next = Mutex(MonotonicTime(nanoseconds: .min))

    package init() {}

    /// How long the next one is to wait, on whatever event loop it is.
    package func next(now: MonotonicTime, perSecond: Int) -> Duration {
        next.withLock { next in
            let time = max(now, next)
            next = time + .nanoseconds(1_000_000_000 / Int64(max(1, perSecond)))
            return time - now
        }
    }
}
