/// Rooms with messages that wait for the end of the turn. Belongs to its hub's event loop.
final class SendingRooms {
    private var rooms: [HubRoom] = []
    /// Members of the rooms that were added in this turn, each as often as it is in one.
    private(set) var receivers = 0

    var count: Int { rooms.count }

    func beginTurn() { receivers = 0 }

    func add(_ room: HubRoom) {
        rooms.append(room)
        receivers += room.memberCount
    }

    func popLast() -> HubRoom? { rooms.popLast() }
}
