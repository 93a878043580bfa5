/// One connection's budget, and what it has spent that the budgets it shares with others have not been told of.
package struct ConnectionBudget: Sendable {
    /// What happens to the next frame.
    package enum Verdict: Hashable, Sendable {
        case served
        /// It is not looked at before so much time has passed.
        case waits(Duration)
        /// It has waited: its request is refused, and can be made again after this time.
        case refused(retryAfter: Duration)
        /// The client goes on in spite of its refusals, or is a stranger with nothing left: it is to be closed.
        case exhausted
    }

    /// A frame waits no longer than this.
    package static let longestWait = Duration.seconds(2)
    /// Refusals without a credit between them that are the end of patience.
    package static let patience = 20
    /// Small change is gathered up to this price, so that most frames touch nothing that is shared.
    package static let smallChange = 2_000_000

    private var budget: Budget
    private var unsettled = Spending()
    private var refusals: UInt8 = 0

    package init(now: MonotonicTime) {
        budget = Budget(now: now)
    }

    /// Asked before a frame is unpacked.
    ///
    /// - Parameters:
    ///   - hasWaited: whether the frame comes from a wait as long as it may be.
    ///   - isStranger: whether nobody has been let in: such a connection does not wait, and is not refused.
    package mutating func admit(now: MonotonicTime, hasWaited: Bool = false, isStranger: Bool = false) -> Verdict {
        guard let wait = budget.wait(now: now) else {
            refusals = 0
            return .served
        }
        if isStranger { return .exhausted }
        guard hasWaited else { return .waits(min(wait, ConnectionBudget.longestWait)) }
        guard refusals < ConnectionBudget.patience else { return .exhausted }
        refusals += 1
        return .refused(retryAfter: wait)
    }

    /// Takes out what something costs.
    ///
    /// - Returns: all that the shared budgets have not been told of, where it has become much.
    package mutating func spend(_ spending: Spending, now: MonotonicTime, _ allowance: Allowance) -> Spending? {
        budget.spend(spending.price, now: now, allowance)
        unsettled += spending
        return unsettled.price < ConnectionBudget.smallChange ? nil : settle()
    }

    /// The same for what is left, at the end.
    package mutating func settle() -> Spending? {
        guard unsettled != Spending() else { return nil }
        defer { unsettled = Spending() }
        return unsettled
    }

    /// A shared budget has nothing left for so long.
    package mutating func block(for wait: Duration, now: MonotonicTime) {
        budget.block(for: wait, now: now)
    }
}
