/// The record of what one receiver has seen of one publisher's numbers 1, 2, 3, …
package struct StreamTrack: Sendable, Equatable {
    /// The meaning of a number that has just come.
    package enum Verdict: Equatable, Sendable {
        case next
        /// So many before it have not come.
        case skipped(Int)
        /// It was thought lost; it came out of order.
        case late
        case repeated
    }

    private var last: UInt32 = 0
    /// Bit `d` stands for number `last - d`: whether it came.
    private var seen: UInt64 = ~0

    package init() {}

    /// Takes a number; of those more than 63 behind the highest, all count as repeated.
    @inline(__always)
    package mutating func received(_ number: UInt32) -> Verdict {
        if number == last &+ 1 {
            seen = seen << 1 | 1
            last = number
            return .next
        }
        if number > last {
            let step = number - last
            seen = step < 64 ? seen << UInt64(step) | 1 : 1
            last = number
            return .skipped(Int(step) - 1)
        }
        let bit = last - number < 64 && number > 0 ? 1 << UInt64(last - number) : UInt64(0)
        guard bit != 0, seen & bit == 0 else { return .repeated }
        seen |= bit
        return .late
    }
}
