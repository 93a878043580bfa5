import Synchronization

/// The budgets that the connections of a node have in common; any thread.
///
/// Only who spends much comes here, and who is in no debt and has saved up all is not kept.
package final class SharedBudgets: Sendable {
    /// For the debt of all, whoever spends much is slowed down, and not made to wait until others have paid.
    static let longestNodeWait = Duration.milliseconds(250)

    private let settings: BudgetSettings
    private let users: BudgetTable<UserID>
    private let rooms: BudgetTable<RoomName>
    private let node: Mutex<Budget>

    package init(settings: BudgetSettings, now: MonotonicTime) {
        self.settings = settings
        users = BudgetTable(allowance: settings.user)
        rooms = BudgetTable(allowance: settings.room)
        node = Mutex(Budget(now: now))
    }

    /// Takes out what a user and the node spend on something.
    ///
    /// - Returns: how long the one who spends it has to wait before more is done for it; nil where it may go on.
    package func spend(_ spending: Spending, by user: UserID?, now: MonotonicTime) -> Duration? {
        let userWait = user.flatMap { users.spend(spending.price, by: $0, now: now) }
        let nodeWait = spendNode(spending.redisNanoseconds, now: now).map { min($0, SharedBudgets.longestNodeWait) }
        guard let userWait, let nodeWait else { return userWait ?? nodeWait }
        return max(userWait, nodeWait)
    }

    /// The same for what goes out to a room.
    package func spend(_ spending: Spending, in room: RoomName, now: MonotonicTime) -> Duration? {
        rooms.spend(spending.bytesOut, by: room, now: now)
    }

    /// How long nothing dear may be asked of Redis.
    package func nodeWait(now: MonotonicTime) -> Duration? { spendNode(0, now: now) }

    /// How long nothing may be done for a user.
    package func wait(for user: UserID, now: MonotonicTime) -> Duration? { users.spend(0, by: user, now: now) }

    private func spendNode(_ price: Int, now: MonotonicTime) -> Duration? {
        node.withLock { budget in
            budget.spend(price, now: now, settings.node)
            return budget.wait(now: now)
        }
    }

    /// Users and rooms that are kept at this moment.
    package var keptCount: Int { users.count + rooms.count }
}
