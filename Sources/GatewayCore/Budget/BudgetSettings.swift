/// The allowances of each kind of spender on one node.
package struct BudgetSettings: Hashable, Sendable {
    /// Before `welcome`.
    package var stranger: Allowance
    package var connection: Allowance
    /// All connections of one user together.
    package var user: Allowance
    /// What goes out to one room's members.
    package var room: Allowance
    /// Redis's time for all clients together.
    package var node: Allowance
    /// Bytes of messages that Redis keeps for one user, in the long run; 0 sets no limit. A thousand seconds of it can be
    /// saved up.
    package var storedBytesPerSecond: Int

    package init(
        stranger: Allowance = Allowance(perSecond: .milliseconds(2)),
        connection: Allowance = Allowance(perSecond: .milliseconds(100)),
        user: Allowance = Allowance(perSecond: .milliseconds(200)),
        room: Allowance = Allowance(perSecond: .milliseconds(400)),
        node: Allowance = Allowance(perSecond: .milliseconds(750)), storedBytesPerSecond: Int = 64 << 10
    ) {
        self.stranger = stranger
        self.connection = connection
        self.user = user
        self.room = room
        self.node = node
        self.storedBytesPerSecond = storedBytesPerSecond
    }
}
