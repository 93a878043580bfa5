import GatewayCore

/// A meter of how long an event loop's turns take: the longest of the last half minute to minute.
///
/// What it is told of it knows in full; of all else it sees how late a tick comes, so that a turn as long as two ticks
/// shows at least half of itself, and one of many seconds nearly all. Pure: the clock is an argument.
package struct TurnMeter: Sendable {
    private static let window = Duration.seconds(30)

    private var windowBegan: MonotonicTime?
    private var longestNow = Duration.zero
    private var longestBefore = Duration.zero
    /// When the next tick is to come; nil until the first one.
    private var due: MonotonicTime?

    package init() {}

    /// The longest turn of this window and of the one before it.
    package var longest: Duration { max(longestNow, longestBefore) }

    /// A tick begins; answers how late it comes, nil for the first.
    @discardableResult
    package mutating func ticked(now: MonotonicTime) -> Duration? {
        if let began = windowBegan {
            if now - began >= TurnMeter.window {
                longestBefore = now - began < TurnMeter.window * 2 ? longestNow : .zero
                longestNow = .zero
                windowBegan = now
            }
        } else {
            windowBegan = now
        }
        guard let due else { return nil }
        let late = max(.zero, now - due)
        turned(late)
        return late
    }

    /// The tick is over, and another comes after so long.
    package mutating func rests(_ pause: Duration, now: MonotonicTime) {
        due = now + pause
    }

    /// A turn, or a part of one, took this long.
    package mutating func turned(_ length: Duration) {
        longestNow = max(longestNow, length)
    }
}
