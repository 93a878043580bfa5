/// Tells the registry what happens to this node's connections.
///
/// Every call may come from any thread; what is told of one connection is carried out in the order of the calls. While
/// Redis is away, calls wait and are caught up.
package protocol Presence: Sendable {
    /// Registers a connection. `reply` is called exactly once, on any thread; after a failure it is not registered.
    func connect(
        _ connection: PresenceConnection, reply: @escaping @Sendable (Result<ConnectedSince, BackendError>) -> Void)

    /// Takes a connection out of the registry, and out of all rooms it joined or asked for.
    func disconnect(_ id: String, _ departure: Departure)

    /// Makes the connection's user a member of a room; `info` is a JSON object that the other members are shown.
    ///
    /// `reply` is called exactly once, on any thread. A failure leaves the connection outside the room.
    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void)

    /// Takes a connection out of a room.
    func leave(_ room: RoomName, connection id: String)
}

/// One connection, as the registry keeps it.
package struct PresenceConnection: Hashable, Sendable {
    /// Unique for ever; without blanks and bars.
    package var id: String
    package var userId: UserID
    /// The client's address; empty where it is not known.
    package var address: String
    /// The session's id, as the backend made it.
    package var session: String

    package init(id: String, userId: UserID, address: String, session: String) {
        self.id = id
        self.userId = userId
        self.address = address
        self.session = session
    }
}

/// When a connection was registered, by Redis's clock in milliseconds.
package struct ConnectedSince: Hashable, Sendable {
    package var since: Int64
    package var now: Int64

    package init(since: Int64, now: Int64) {
        self.since = since
        self.now = now
    }
}

/// A room's roster at one moment.
package struct RosterState: Hashable, Sendable {
    /// Users with at least one connection in the room.
    package var members: Int
    package var version: Int64
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64

    package init(members: Int, version: Int64, timestamp: Int64) {
        self.members = members
        self.version = version
        self.timestamp = timestamp
    }
}

/// How a connection ends.
package enum Departure: Hashable, Sendable {
    /// For good: takes effect at once.
    case farewell(PresenceCause)
    /// Abruptly: the user stays online for the grace.
    case abrupt(PresenceCause)

    package var cause: PresenceCause {
        switch self {
        case .farewell(let cause), .abrupt(let cause): cause
        }
    }
}

/// Why presence changed, as the ledger and the webhooks say it.
package enum PresenceCause: String, Hashable, Sendable {
    case explicit, closed, lost, kicked, replaced, drained, restored
    case nodeLost = "node_lost"
}
