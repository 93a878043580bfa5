/// Keeps account of who spends what, for an operator who wants to know; it stands in nobody's way.
///
/// Called on event loops, and not for each frame: what a connection spends is gathered for two milliseconds of a core
/// before it is told, or until the connection ends.
package protocol SpendingTally: Sendable {
    /// What a connection has spent since this was last told of it.
    ///
    /// - Parameters:
    ///   - user: nil for a connection that nobody has been let in by yet.
    ///   - address: as the registry writes it; empty where it is not known.
    func spent(_ spending: Spending, by user: UserID?, at address: String)

    /// What clients' messages to one room have cost since this was last told of it, a tick of its loop ago; the same is in
    /// their senders' spending.
    func spent(_ spending: Spending, in room: RoomName)
}
