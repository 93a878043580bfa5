import Synchronization

/// The budgets that the connections of a node have in common; any thread.
///
/// Only who spends much comes here, and who is in no debt and has saved up all is not kept.
package final class SharedBudgets: Sendable {
    /// For the debt of all, whoever spends much is slowed down, and not made to wait until others have paid.
    static let longestNodeWait = Duration.milliseconds(250)
    /// All strangers of one address have as much as so many.
    static let strangersOfAddress = 20.0
    /// Seconds that are one second of what a user may have stored: a thousand are saved up.
    static let storedSlowness = 200
    /// All connections of one user may join as often as so many.
    static let joiningConnections = 10

    private let settings: BudgetSettings
    private let users: BudgetTable<UserID>
    private let rooms: BudgetTable<RoomName>
    private let addresses: BudgetTable<IPAddress>
    /// In joins, not in time of a core.
    private let joins: BudgetTable<UserID>
    /// In bytes, and by a clock that is slower, so that much more can be saved up and owed.
    private let stored: BudgetTable<UserID>
    private let node: Mutex<Budget>

    /// - Parameter joins: how often one connection may join a room.
    package init(settings: BudgetSettings, joins: RateLimit = .joins, now: MonotonicTime) {
        self.settings = settings
        users = BudgetTable(allowance: settings.user)
        rooms = BudgetTable(allowance: settings.room)
        addresses = BudgetTable(allowance: settings.stranger.times(SharedBudgets.strangersOfAddress))
        let joinsPerSecond = Int64(joins.perSecond) * Int64(SharedBudgets.joiningConnections)
        self.joins = BudgetTable(allowance: Allowance(perSecond: .nanoseconds(joinsPerSecond)))
        stored = BudgetTable(
            allowance: Allowance(
                perSecond: .nanoseconds(settings.storedBytesPerSecond * SharedBudgets.storedSlowness)))
        node = Mutex(Budget(now: now))
    }

    /// Takes out what a user, or a stranger of an address, and the node spend on something.
    ///
    /// - Returns: how long the one who spends it has to wait before more is done for it; nil where it may go on.
    package func spend(
        _ spending: Spending, by user: UserID?, at address: IPAddress?, now: MonotonicTime
    ) -> Duration? {
        let ownWait: Duration?
        if let user {
            let wait = users.spend(spending.price, by: user, now: now)
            let storedWait = spending.storedBytes > 0 ? store(spending.storedBytes, by: user, now: now) : nil
            ownWait = [wait, storedWait].compactMap(\.self).max()
        } else {
            ownWait = address.flatMap { SharedBudgets.counted($0) }.flatMap {
                addresses.spend(spending.price, by: $0, now: now)
            }
        }
        let nodeWait = spendNode(spending.redisNanoseconds, now: now).map { min($0, SharedBudgets.longestNodeWait) }
        guard let ownWait, let nodeWait else { return ownWait ?? nodeWait }
        return max(ownWait, nodeWait)
    }

    private func store(_ bytes: Int, by user: UserID, now: MonotonicTime) -> Duration? {
        let slowNow = MonotonicTime(nanoseconds: now.nanoseconds / Int64(SharedBudgets.storedSlowness))
        return stored.spend(bytes, by: user, now: slowNow).map { $0 * SharedBudgets.storedSlowness }
    }

    /// How long nothing may be done for a stranger of this address, however new: who has spent what a connection has is not
    /// to get it again with the next.
    package func wait(forStrangersAt address: IPAddress?, now: MonotonicTime) -> Duration? {
        address.flatMap { SharedBudgets.counted($0) }.flatMap { addresses.spend(0, by: $0, now: now) }
    }

    /// This machine's own address may be anybody's, as it is for every limit by address.
    private static func counted(_ address: IPAddress) -> IPAddress? { address.isLoopback ? nil : address.counted }

    /// Counts a room that one of a user's connections joins.
    ///
    /// - Returns: how long the connection has to wait, where all of the user's together join too many.
    package func join(by user: UserID, now: MonotonicTime) -> Duration? { joins.spend(1, by: user, now: now) }

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
