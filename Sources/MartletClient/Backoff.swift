/// The delay before the next try: "full jitter", uniform from nothing up to a bound that doubles with each failure.
///
/// The whole range is random so that a thousand clients cut off at once do not come back at once.
package struct Backoff: Sendable {
    package let first: Duration
    package let cap: Duration
    private var failures = 0

    /// - Parameters:
    ///   - first: the bound of the first delay.
    ///   - cap: the bound of any delay.
    package init(first: Duration, cap: Duration) {
        self.first = first
        self.cap = cap
    }

    /// Of the next delay.
    package var bound: Duration { min(cap, first * (1 << min(failures, 30))) }

    /// The delay after one more failure.
    package mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let bound = bound
        failures += 1
        return bound * Double.random(in: 0..<1, using: &random)
    }

    /// After a connection that has proven itself.
    package mutating func reset() {
        failures = 0
    }
}
