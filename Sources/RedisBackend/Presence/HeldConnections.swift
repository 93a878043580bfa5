import GatewayCore

/// What this node holds: its connections with the rooms they are in or have asked for. No I/O; it belongs to the
/// registry's loop, as do the connections it hands out.
package final class HeldConnections {
    /// How far a connection's registration has come.
    package enum Standing: Hashable, Sendable {
        /// Redis is still to be asked.
        case waiting
        /// Redis was asked under this incarnation, and may answer yet.
        case asked(incarnation: Int64)
        /// Redis has taken it in, at milliseconds by its clock.
        case registered(since: Int64)
    }

    /// One connection; once it is out of the table nothing in it changes any more.
    ///
    /// `@unchecked Sendable`: it is touched on the registry's loop only.
    package final class Held: @unchecked Sendable {
        package let connection: PresenceConnection
        package fileprivate(set) var session: SessionID
        package fileprivate(set) var standing = Standing.waiting
        /// Each with what is shown of the user there, a JSON object.
        package fileprivate(set) var rooms = RoomTable<[UInt8]>()
        /// Rooms without a roster, which only the session remembers.
        package fileprivate(set) var quietRooms: Set<RoomName> = []
        /// Its session names another connection by now, or its user is not let in any more: it is being closed, and
        /// registers nothing any more.
        package fileprivate(set) var isReplaced = false

        fileprivate init(_ connection: PresenceConnection, _ session: SessionID) {
            self.connection = connection
            self.session = session
        }

        /// Redis has taken it in under its session, and that goes on nowhere else.
        package var isRegistered: Bool { since != nil && !isReplaced }

        /// Milliseconds by Redis's clock; nil until Redis has told it.
        package var since: Int64? {
            if case .registered(let since) = standing { since } else { nil }
        }

        package func isIn(_ room: RoomName) -> Bool { rooms[room] != nil || quietRooms.contains(room) }
    }

    private struct Holdings {
        var users: Set<Held> = []
        /// Those that are in one of its rooms.
        var members: Set<Held> = []
        /// Each room with a roster, and how many connections are in it.
        var rooms: [RoomName: Int] = [:]
    }

    private var connections: [String: Held] = [:]
    private var partitions = [Holdings](repeating: Holdings(), count: Partition.count)

    package init() {}

    package subscript(id: String) -> Held? { connections[id] }

    // MARK: By partition

    /// The connections of its users.
    package func users(in partition: Partition) -> Set<Held> { partitions[partition.number].users }

    /// Its rooms with a roster that a connection is in, or has asked for.
    package func rooms(in partition: Partition) -> some Collection<RoomName> {
        partitions[partition.number].rooms.keys
    }

    /// The members of those rooms.
    package func members(in partition: Partition) -> [HeldEntry] {
        let holdings = partitions[partition.number]
        var entries: [HeldEntry] = []
        for held in holdings.members {
            for (room, _) in held.rooms where holdings.rooms[room] != nil { entries.append(held.entry(in: room)) }
        }
        return entries
    }

    /// All that the node's set in the partition should name.
    package func entries(in partition: Partition) -> Set<HeldEntry> {
        Set(users(in: partition).map(\.entry)).union(members(in: partition))
    }

    /// What a partition's set should name and does not, and what it names and should not.
    package func compare(
        _ found: Set<HeldEntry>, in partition: Partition
    ) -> (missing: Set<HeldEntry>, stale: Set<HeldEntry>) {
        let held = entries(in: partition)
        return (held.subtracting(found), found.subtracting(held))
    }

    // MARK: Connections

    /// Takes a connection in; false where one of that name is held already.
    package func connect(_ connection: PresenceConnection, session: SessionID) -> Bool {
        guard connections[connection.id] == nil else { return false }
        let held = Held(connection, session)
        connections[connection.id] = held
        partitions[held.partition.number].users.insert(held)
        return true
    }

    package func registered(_ id: String, since: Int64) {
        connections[id]?.standing = .registered(since: since)
    }

    /// Redis is being asked, under this incarnation, to take the connection in.
    package func asked(_ id: String, incarnation: Int64) {
        connections[id]?.standing = .asked(incarnation: incarnation)
    }

    /// The connection goes on with this session.
    package func resumed(_ id: String, _ session: SessionID) {
        connections[id]?.session = session
    }

    package func replaced(_ id: String) {
        connections[id]?.isReplaced = true
    }

    /// Forgets a connection; answers what it was and the rooms it was in or had asked for.
    package func disconnect(_ id: String) -> Held? {
        guard let held = connections.removeValue(forKey: id) else { return nil }
        partitions[held.partition.number].users.remove(held)
        for room in held.rooms.keys {
            let partition = Partition(of: room)
            partitions[partition.number].members.remove(held)
            left(room, in: partition)
        }
        return held
    }

    // MARK: Rooms

    /// Notes that a connection is in a room, or asked for it; false where the connection is not held.
    package func join(_ room: RoomName, connection id: String, info: [UInt8]) -> Bool {
        guard let held = connections[id] else { return false }
        if held.rooms[room] == nil {
            let partition = Partition(of: room).number
            partitions[partition].rooms[room, default: 0] += 1
            partitions[partition].members.insert(held)
        }
        held.rooms[room] = info
        return true
    }

    /// Notes that a connection is in a room without a roster.
    package func joinQuietly(_ room: RoomName, connection id: String) {
        connections[id]?.quietRooms.insert(room)
    }

    /// Forgets a room of a connection; nil where the connection is not held or not in the room.
    package func leave(_ room: RoomName, connection id: String) -> PresenceConnection? {
        guard let held = connections[id], held.rooms.removeValue(forKey: room) != nil else { return nil }
        let partition = Partition(of: room)
        if !held.rooms.contains(where: { Partition(of: $0.key) == partition }) {
            partitions[partition.number].members.remove(held)
        }
        left(room, in: partition)
        return held.connection
    }

    /// Forgets a room without a roster; false where the connection is not in it.
    package func leaveQuietly(_ room: RoomName, connection id: String) -> Bool {
        connections[id]?.quietRooms.remove(room) != nil
    }

    /// One connection less is in the room.
    private func left(_ room: RoomName, in partition: Partition) {
        let others = partitions[partition.number].rooms[room, default: 0] - 1
        partitions[partition.number].rooms[room] = others > 0 ? others : nil
    }
}

extension HeldConnections.Held {
    /// A session lies beside its user.
    fileprivate var partition: Partition { session.partition }

    /// As its user's partition names it.
    package var entry: HeldEntry { .user(connection.userId, connection: connection.id) }

    package func entry(in room: RoomName) -> HeldEntry {
        .member(connection.userId, connection: connection.id, room: room)
    }
}

extension HeldConnections.Held: Hashable {
    package static func == (left: HeldConnections.Held, right: HeldConnections.Held) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
