import GatewayCore

/// What this node holds: its connections with the rooms they are in or have asked for. Pure.
package struct HeldConnections: Sendable {
    /// How far a connection's registration has come.
    package enum Standing: Hashable, Sendable {
        /// Redis is still to be asked.
        case waiting
        /// Redis was asked under this incarnation, and may answer yet.
        case asked(incarnation: Int64)
        /// Redis has taken it in, at milliseconds by its clock.
        case registered(since: Int64)
    }

    package struct Held: Sendable {
        package let connection: PresenceConnection
        package var session: SessionID
        package var standing = Standing.waiting
        /// Each with what is shown of the user there, a JSON object.
        package var rooms: [RoomName: [UInt8]] = [:]
        /// Rooms without a roster, which only the session remembers.
        package var quietRooms: Set<RoomName> = []
        /// Its session names another connection by now: it is being closed, and registers nothing any more.
        package var isReplaced = false

        /// Redis has taken it in under its session, and that goes on nowhere else.
        package var isRegistered: Bool { since != nil && !isReplaced }

        /// Milliseconds by Redis's clock; nil until Redis has told it.
        package var since: Int64? {
            if case .registered(let since) = standing { since } else { nil }
        }

        package func isIn(_ room: RoomName) -> Bool { rooms[room] != nil || quietRooms.contains(room) }
    }

    private var connections: [String: Held] = [:]
    private var entries = [Set<HeldEntry>](repeating: [], count: Partition.count)

    package init() {}

    package var count: Int { connections.count }

    package subscript(id: String) -> Held? { connections[id] }

    package func entries(in partition: Partition) -> Set<HeldEntry> { entries[partition.number] }

    package func holds(_ entry: HeldEntry) -> Bool { entries[entry.partition.number].contains(entry) }

    /// Takes a connection in; false where one of that name is held already.
    package mutating func connect(_ connection: PresenceConnection, session: SessionID) -> Bool {
        guard connections[connection.id] == nil else { return false }
        connections[connection.id] = Held(connection: connection, session: session)
        insert(.user(connection.userId, connection: connection.id))
        return true
    }

    package mutating func registered(_ id: String, since: Int64) {
        connections[id]?.standing = .registered(since: since)
    }

    /// Redis is being asked, under this incarnation, to take the connection in.
    package mutating func asked(_ id: String, incarnation: Int64) {
        connections[id]?.standing = .asked(incarnation: incarnation)
    }

    /// The connection goes on with this session.
    package mutating func resumed(_ id: String, _ session: SessionID) {
        connections[id]?.session = session
    }

    package mutating func replaced(_ id: String) {
        connections[id]?.isReplaced = true
    }

    /// Notes that a connection is in a room, or asked for it; false where the connection is not held.
    package mutating func join(_ room: RoomName, connection id: String, info: [UInt8]) -> Bool {
        guard let connection = connections[id]?.connection else { return false }
        connections[id]?.rooms[room] = info
        // The name that is kept already, since the caller's may be another copy.
        insert(.member(connection.userId, connection: connection.id, room: room))
        return true
    }

    /// Notes that a connection is in a room without a roster.
    package mutating func joinQuietly(_ room: RoomName, connection id: String) {
        connections[id]?.quietRooms.insert(room)
    }

    /// Forgets a room of a connection; nil where the connection is not held or not in the room.
    package mutating func leave(_ room: RoomName, connection id: String) -> PresenceConnection? {
        guard let held = connections[id], connections[id]?.rooms.removeValue(forKey: room) != nil else { return nil }
        remove(.member(held.connection.userId, connection: id, room: room))
        return held.connection
    }

    /// Forgets a room without a roster; false where the connection is not in it.
    package mutating func leaveQuietly(_ room: RoomName, connection id: String) -> Bool {
        connections[id]?.quietRooms.remove(room) != nil
    }

    /// Forgets a connection; answers what it was and the rooms it was in or had asked for.
    package mutating func disconnect(_ id: String) -> Held? {
        guard let held = connections.removeValue(forKey: id) else { return nil }
        remove(.user(held.connection.userId, connection: id))
        for room in held.rooms.keys { remove(.member(held.connection.userId, connection: id, room: room)) }
        return held
    }

    /// What a partition's set should name and does not, and what it names and should not.
    package func compare(
        _ found: Set<HeldEntry>, in partition: Partition
    ) -> (missing: Set<HeldEntry>, stale: Set<HeldEntry>) {
        let held = entries[partition.number]
        return (held.subtracting(found), found.subtracting(held))
    }

    private mutating func insert(_ entry: HeldEntry) { entries[entry.partition.number].insert(entry) }

    private mutating func remove(_ entry: HeldEntry) { entries[entry.partition.number].remove(entry) }
}
