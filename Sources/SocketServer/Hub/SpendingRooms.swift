import GatewayCore

/// Rooms of one loop that something was spent on since its last tick, at which whoever keeps account is told.
///
/// A class, so that only it writes what it keeps; it belongs to its hub's event loop.
final class SpendingRooms {
    private var spent: [(room: HubRoom, spending: Spending)] = []

    /// The memory of a longer list is not kept.
    private static let few = 256

    /// A message more costs a few additions: a room knows its place here.
    func add(_ spending: Spending, to room: HubRoom) {
        guard room.spendingPlace < 0 else { return spent[Int(room.spendingPlace)].spending += spending }
        room.spendingPlace = Int32(spent.count)
        spent.append((room, spending))
    }

    func tell(_ tally: any SpendingTally) {
        guard !spent.isEmpty else { return }
        for (room, spending) in spent {
            room.spendingPlace = -1
            tally.spent(spending, in: room.name)
        }
        spent.removeAll(keepingCapacity: spent.count <= SpendingRooms.few)
    }
}
