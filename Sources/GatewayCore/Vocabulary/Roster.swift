/// One step of a room's roster.
package struct RosterEvent: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        /// The user's first connection in the room.
        case join
        /// The user's last one is gone.
        case leave
        /// The user stays, and what others are shown of them has changed.
        case update
    }

    package var kind: Kind
    package var userId: UserID
    /// A JSON object; nil for a `leave`.
    package var info: [UInt8]?
    /// The connection that made the step, which is not told of it; nil where it is not known.
    package var connection: String?

    package init(kind: Kind, userId: UserID, info: [UInt8]?, connection: String?) {
        self.kind = kind
        self.userId = userId
        self.info = info
        self.connection = connection
    }
}

/// A change in a room's roster, as its members are told.
package struct RosterChange: Hashable, Sendable {
    package var room: RoomName
    /// Each is one step of the version, unless there is a `from`; none, without one, where the roster has changed unseen.
    package var events: [RosterEvent]
    /// The version before this change, where the events are what is left of all steps since then: each user at most once.
    package var from: Int64?
    /// Users in the room after the last event.
    package var members: Int
    /// The version after the last event.
    package var version: Int64
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64

    package init(
        room: RoomName, events: [RosterEvent], from: Int64? = nil, members: Int, version: Int64, timestamp: Int64
    ) {
        self.room = room
        self.events = events
        self.from = from
        self.members = members
        self.version = version
        self.timestamp = timestamp
    }
}

/// What a user who is online says of itself.
package enum UserState: String, Hashable, Sendable, CaseIterable {
    case active
    /// On all connections.
    case away
    /// Others are told that the user is offline, and a member of no room.
    case invisible
}

/// A watched user has come or gone, or is away or back.
package struct StatusChange: Hashable, Sendable {
    package var userId: UserID
    package var isOnline: Bool
    /// Nil for one who is offline, and where an earlier gateway does not say.
    package var state: UserState?
    /// Milliseconds since 1970 by Redis's clock; with a user who went offline this is `lastSeen`.
    package var timestamp: Int64

    package init(userId: UserID, isOnline: Bool, state: UserState? = nil, timestamp: Int64) {
        self.userId = userId
        self.isOnline = isOnline
        self.state = state
        self.timestamp = timestamp
    }
}

/// A message from one member of a room to another, such as an offer of WebRTC; never stored.
package struct Signal: Hashable, Sendable {
    package var room: RoomName
    package var from: UserID
    package var to: UserID
    /// One JSON value, byte for byte.
    package var payload: [UInt8]

    package init(room: RoomName, from: UserID, to: UserID, payload: [UInt8]) {
        self.room = room
        self.from = from
        self.to = to
        self.payload = payload
    }
}
