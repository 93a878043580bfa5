/// A token bucket for outgoing messages, so that a gateway does not refuse them.
package struct Pace: Sendable {
    /// Of what the gateway allows, since other frames than messages count there too.
    private static let share = (rate: 0.9, burst: 0.75)

    private var perSecond: Double
    private var burst: Double
    private var tokens: Double
    private var at: ContinuousClock.Instant

    /// Begins with a full bucket.
    ///
    /// - Parameters:
    ///   - perSecond: frames that the gateway takes in the long run.
    ///   - burst: frames that it takes at once after a rest.
    package init(perSecond: Int, burst: Int, now: ContinuousClock.Instant) {
        self.perSecond = max(1, Double(perSecond) * Pace.share.rate)
        self.burst = max(1, Double(burst) * Pace.share.burst)
        tokens = self.burst
        at = now
    }

    /// Takes one out; answers how long to wait first where there is none.
    package mutating func spend(now: ContinuousClock.Instant) -> Duration? {
        fill(now)
        guard tokens >= 1 else { return .seconds((1 - tokens) / perSecond) }
        tokens -= 1
        return nil
    }

    /// The gateway refused a message: nothing goes out for so long.
    package mutating func rest(for time: Duration, now: ContinuousClock.Instant) {
        fill(now)
        tokens = min(tokens, 1 - time / .seconds(1) * perSecond)
    }

    private mutating func fill(_ now: ContinuousClock.Instant) {
        tokens = min(burst, tokens + max(0, at.duration(to: now) / .seconds(1)) * perSecond)
        at = now
    }
}

extension Pace {
    /// For a gateway that says what it takes, or one with default settings.
    init(limits: MartletClient.Limits?, now: ContinuousClock.Instant) {
        self.init(perSecond: limits?.messagesPerSecond ?? 100, burst: limits?.messageBurst ?? 200, now: now)
    }
}
