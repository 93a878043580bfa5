/// Rooms whose roster's steps wait for others. Belongs to its hub's event loop.
final class BundlingRooms {
    private var rooms: [HubRoom] = []

    var isEmpty: Bool { rooms.isEmpty }

    /// - Returns: whether it is the only one.
    func add(_ room: HubRoom) -> Bool {
        rooms.append(room)
        return rooms.count == 1
    }

    func takeAll() -> [HubRoom] {
        defer { rooms = [] }
        return rooms
    }
}
