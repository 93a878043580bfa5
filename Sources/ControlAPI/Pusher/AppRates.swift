import Dialects
import GatewayCore
import Synchronization

/// What each app's backend has left of its rate, on both ports together. Any thread.
final class AppRates: Sendable {
    /// By the app's id: there are only those that are set up.
    private let limiters = Mutex<[String: RateLimiter]>([:])
    private let now: @Sendable () -> MonotonicTime

    init(now: @escaping @Sendable () -> MonotonicTime) {
        self.now = now
    }

    /// Counts one call.
    ///
    /// - Throws: 429 where the app's rate is spent; that takes nothing from any other app.
    func spend(_ app: PusherApp) throws(Refusal) {
        guard app.rate > 0 else { return }
        let limit = RateLimit(perSecond: app.rate, burst: app.rate)
        let now = now()
        let wait: Duration? = limiters.withLock { limiters in
            var limiter = limiters[app.id] ?? RateLimiter(now: now)
            defer { limiters[app.id] = limiter }
            return limiter.spend(now: now, limit: limit) == .accepted ? nil : limiter.wait(now: now, limit: limit)
        }
        if let wait { throw Refusal.spent("the app \(app.id)", wait) }
    }
}
