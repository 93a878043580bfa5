/// Whether something fails, as the log is told it: when that changes, two lines in ten seconds at the most, so that what fails
/// every other time does not fill it.
///
/// Pure.
package struct Trouble: Sendable {
    private let pause: Duration
    /// What the log says last; nil where that is that all is well.
    private var told: String?
    private var toldAt: MonotonicTime?

    package init(pause: Duration = .seconds(10)) {
        self.pause = pause
    }

    /// It has failed; answers whether the log is to say so.
    package mutating func failed(_ reason: String, at time: MonotonicTime) -> Bool {
        guard told != reason, toldAt.map({ time - $0 >= pause }) ?? true else { return false }
        (told, toldAt) = (reason, time)
        return true
    }

    /// It is well; answers whether the log is to say that it is again.
    package mutating func passed() -> Bool {
        defer { told = nil }
        return told != nil
    }
}
