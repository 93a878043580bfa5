/// A line of the log for what may happen very often: one a second at most, with how often it has happened since the last.
///
/// Pure. Whoever can cause it could else fill a disk with it.
package struct Recurrence: Sendable {
    private let interval: Duration
    private var last: MonotonicTime?
    private var unsaid = 0

    package init(interval: Duration = .seconds(1)) {
        self.interval = interval
    }

    /// It has happened; answers how often since the last line, where there is to be one now.
    package mutating func happened(_ times: Int = 1, at time: MonotonicTime) -> Int? {
        unsaid += times
        if let last, time - last < interval { return nil }
        defer { (last, unsaid) = (time, 0) }
        return unsaid
    }
}
