import GatewayCore

/// What this node holds: its connections with the rooms they are in or have asked for. Pure.
package struct HeldConnections: Sendable {
    package struct Held: Sendable {
        package let connection: PresenceConnection
        package var session: SessionID
        /// Milliseconds by Redis's clock; nil until Redis has told it.
        package var since: Int64?
        /// Each with what is shown of the user there, a JSON object.
        package var rooms: [RoomName: [UInt8]] = [:]
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
        connections[id]?.since = since
    }

    /// Notes that a connection is in a room, or asked for it; false where the connection is not held.
    package mutating func join(_ room: RoomName, connection id: String, info: [UInt8]) -> Bool {
        guard let user = connections[id]?.connection.userId else { return false }
        connections[id]?.rooms[room] = info
        insert(.member(user, connection: id, room: room))
        return true
    }

    /// Forgets a room of a connection; nil where the connection is not held or not in the room.
    package mutating func leave(_ room: RoomName, connection id: String) -> PresenceConnection? {
        guard let held = connections[id], connections[id]?.rooms.removeValue(forKey: room) != nil else { return nil }
        remove(.member(held.connection.userId, connection: id, room: room))
        return held.connection
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
