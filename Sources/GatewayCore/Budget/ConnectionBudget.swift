/// One connection's budget, and what it has spent that the budgets it shares with others have not been told of.
package struct ConnectionBudget: Sendable {
    /// The decision on the next frame.
    package enum Verdict: Hashable, Sendable {
        case served
        /// It is not looked at before so much time has passed.
        case waits(Duration)
        /// It has waited: its request is refused, and can be made again after this time.
        case refused(retryAfter: Duration)
        /// The client goes on in spite of its refusals, or is a stranger with nothing left: it is to be closed.
        case exhausted
    }

    /// The waits that a frame has behind it.
    package enum Past: Sendable {
        case none
        /// A wait as long as it may be.
        case wait
        /// The same wait as the one before it, which was refused.
        case refusal
    }

    /// A frame waits no longer than this.
    package static let longestWait = Duration.seconds(2)
    /// Waits in vain without a credit between them that are the end of patience.
    package static let patience = 20
    /// Small change is gathered up to this price, so that most frames touch nothing that is shared.
    package static let smallChange = 2_000_000

    private var budget: Budget
    private var blockedUntil: MonotonicTime
    private var change = Change()
    private var vainWaits: UInt8 = 0

    package init(now: MonotonicTime) {
        budget = Budget(now: now)
        blockedUntil = now
    }

    /// Asked before a frame is unpacked.
    ///
    /// - Parameter isStranger: whether nobody has been let in: such a connection does not wait, and is not refused.
    package mutating func admit(now: MonotonicTime, after past: Past = .none, isStranger: Bool = false) -> Verdict {
        guard let wait = wait(now: now) else {
            vainWaits = 0
            return .served
        }
        if isStranger { return .exhausted }
        switch past {
        case .none: return .waits(min(wait, ConnectionBudget.longestWait))
        case .wait:
            guard vainWaits < ConnectionBudget.patience else { return .exhausted }
            vainWaits += 1
        case .refusal: break
        }
        return .refused(retryAfter: wait)
    }

    /// Somebody has been let in, whose allowance is another: what was spent as a stranger is forgotten.
    package mutating func welcome(now: MonotonicTime) {
        budget = Budget(now: now)
        blockedUntil = now
    }

    /// How long nothing more is done for the connection; nil where it has something left.
    package func wait(now: MonotonicTime) -> Duration? {
        let own = budget.wait(now: now)
        guard blockedUntil > now else { return own }
        return max(own ?? .zero, blockedUntil - now)
    }

    /// Takes out what something costs.
    ///
    /// - Returns: all that the shared budgets have not been told of, where it has become much.
    package mutating func spend(_ spending: Spending, now: MonotonicTime, _ allowance: Allowance) -> Spending? {
        budget.spend(spending.price, now: now, allowance)
        change.add(spending)
        return change.spending.price < ConnectionBudget.smallChange ? nil : takeUncharged()
    }

    /// The same for what is left, at the end.
    package mutating func takeUncharged() -> Spending? {
        let spending = change.spending
        guard spending != Spending() else { return nil }
        change = Change()
        return spending
    }

    /// A shared budget has nothing left for so long.
    package mutating func block(for wait: Duration, now: MonotonicTime) {
        blockedUntil = max(blockedUntil, now + wait)
    }

    /// Spending of little, or of one thing more: in a quarter of the room, since each connection has one.
    private struct Change {
        private var bytesIn: UInt32 = 0
        private var bytesOut: UInt32 = 0
        private var redisNanoseconds: UInt32 = 0
        private var processorNanoseconds: UInt32 = 0
        private var storedBytes: UInt32 = 0

        mutating func add(_ spending: Spending) {
            bytesIn = UInt32(clamping: Int(bytesIn) + spending.bytesIn)
            bytesOut = UInt32(clamping: Int(bytesOut) + spending.bytesOut)
            redisNanoseconds = UInt32(clamping: Int(redisNanoseconds) + spending.redisNanoseconds)
            processorNanoseconds = UInt32(clamping: Int(processorNanoseconds) + spending.processorNanoseconds)
            storedBytes = UInt32(clamping: Int(storedBytes) + spending.storedBytes)
        }

        var spending: Spending {
            Spending(
                bytesIn: Int(bytesIn), bytesOut: Int(bytesOut), redisNanoseconds: Int(redisNanoseconds),
                processorNanoseconds: Int(processorNanoseconds), storedBytes: Int(storedBytes))
        }
    }
}
