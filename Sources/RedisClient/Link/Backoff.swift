import NIOCore

/// Pauses between attempts: exponential ceilings, and under each a pause drawn at random ("full jitter"), so that
/// many clients do not come back at once.
package struct Backoff {
    private let limit: TimeAmount
    private var ceiling: TimeAmount

    private static let first = TimeAmount.milliseconds(50)

    package init(limit: TimeAmount) {
        self.limit = limit
        self.ceiling = min(Self.first, limit)
    }

    /// The next pause; `fraction` is the random draw, from 0 to 1.
    package mutating func next(fraction: Double) -> TimeAmount {
        let pause = TimeAmount.nanoseconds(Int64(Double(ceiling.nanoseconds) * min(max(fraction, 0), 1)))
        ceiling = min(ceiling * 2, limit)
        return pause
    }

    package mutating func reset() {
        ceiling = min(Self.first, limit)
    }
}
