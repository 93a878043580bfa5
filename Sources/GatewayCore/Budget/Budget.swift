/// The rate at which somebody may spend in the long run: nanoseconds of a core in each second. A rest saves up five
/// seconds of it.
package struct Allowance: Hashable, Sendable {
    /// Nanoseconds in which one nanosecond's worth comes back; 0 where nothing is limited.
    fileprivate let nanosecondsPerUnit: Double

    /// - Parameter perSecond: zero sets no limit.
    package init(perSecond: Duration) {
        let nanoseconds = max(0, perSecond.nanoseconds)
        nanosecondsPerUnit = nanoseconds == 0 ? 0 : 1_000_000_000 / Double(nanoseconds)
    }

    /// Zero where nothing is limited.
    package var perSecond: Duration {
        nanosecondsPerUnit == 0 ? .zero : .nanoseconds(Int64((1_000_000_000 / nanosecondsPerUnit).rounded()))
    }

    package static let unlimited = Allowance(perSecond: .zero)

    /// As much as so many have.
    func times(_ count: Double) -> Allowance { Allowance(nanosecondsPerUnit: nanosecondsPerUnit / count) }

    private init(nanosecondsPerUnit: Double) {
        self.nanosecondsPerUnit = nanosecondsPerUnit
    }
}

/// The balance of a spender: a bucket that fills as time passes, kept as the moment at which it will be full again.
///
/// Whoever has anything left may spend, even more than is left; then nothing until the debt is paid off. So what is
/// dear can be had as well, and no price has to be known before the work is begun.
package struct Budget: Sendable {
    /// What a rest saves up.
    package static let saved = Duration.seconds(5)
    /// Beyond it debts are let go.
    package static let longestDebt = Duration.seconds(60)

    private var fullAt: MonotonicTime

    /// Begins with all that can be saved up.
    package init(now: MonotonicTime) {
        fullAt = now
    }

    /// How long there is nothing to spend; nil where there is something.
    package func wait(now: MonotonicTime) -> Duration? {
        let debt = fullAt.nanoseconds - now.nanoseconds - Budget.saved.nanoseconds
        return debt > 0 ? .nanoseconds(debt) : nil
    }

    /// Takes a price out of it; a negative one, of what was paid for and not needed, goes back.
    package mutating func spend(_ price: Int, now: MonotonicTime, _ allowance: Allowance) {
        let time = Double(price) * allowance.nanosecondsPerUnit
        let limit = (Budget.saved + Budget.longestDebt).nanoseconds
        let begin = max(fullAt.nanoseconds, now.nanoseconds)
        let end = time < Double(limit) ? begin + Int64(time) : begin + limit
        fullAt = MonotonicTime(nanoseconds: min(end, now.nanoseconds + limit))
    }

    /// Whether nothing of what can be saved up is lacking.
    package func isFull(now: MonotonicTime) -> Bool { fullAt <= now }
}
