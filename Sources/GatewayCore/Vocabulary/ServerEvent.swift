/// Any frame the gateway sends.
package enum ServerEvent: Sendable {
    case welcome(Welcome)
    /// `expires` in milliseconds since 1970; nil where the token never ends.
    case authenticated(id: RequestID?, expires: Int64?)
    case joined(id: RequestID?, Joined)
    case resumed(id: RequestID?, rooms: [ResumedRoom])
    case left(id: RequestID?, room: RoomName)
    case ack(id: RequestID?, room: RoomName, published: Published)
    case history(id: RequestID?, page: HistoryPage)
    case members(id: RequestID?, room: RoomName, page: MemberPage)
    case watching(id: RequestID?, users: [UserStatus])
    /// A `signal` was handed on.
    case acknowledged(id: RequestID?)
    case turn(id: RequestID?, TurnCredentials)
    /// What was asked about a user of the room is done, and the room at this version.
    case ordered(id: RequestID?, room: RoomName, version: Int64)
    case pong(id: RequestID?)
    case message(RoomMessage)
    /// The room's message with this number left the connection out: all up to it counts as seen.
    case seen(room: RoomName, seq: Int)
    case presence(RosterChange)
    /// How many connections are in a room; natively there is no word for it.
    case counted(RoomName, connections: Int)
    case room(RoomChange)
    /// This message of the room has no payload any more.
    case redacted(room: RoomName, position: Position)
    case status(StatusChange)
    case signal(Signal)
    /// Something of the room was lost; it goes on after this position.
    case gap(room: RoomName, position: Position)
    /// The room goes on without a loss under a new epoch.
    case epoch(room: RoomName, position: Position)
    /// The node is draining: come back, elsewhere, after this many milliseconds.
    case reconnect(afterMilliseconds: Int)
    case error(id: RequestID?, error: RequestError)
}

/// The answer to a `join`.
package struct Joined: Sendable {
    package var room: RoomName
    /// Where the room stands; what was missed up to it follows.
    package var position: Position
    /// Whether nothing was lost since the position that the client gave; true where it gave none.
    package var recovered: Bool
    /// Whether more may be in the archive, which cannot be asked.
    package var isArchiveAway = false
    /// Nil where the room keeps no presence, and for inboxes and `*`.
    package var roster: RosterState?
    /// Nil where the room has no settings.
    package var settings: RoomState?
    /// The client's user's own; nil where it is not told.
    package var role: RoleName?
    /// All who are shown in the room, where its visitor is told of them.
    package var members: [Member]?
    /// Nil where it is not asked for.
    package var last: LastMessage?

    package init(
        room: RoomName, position: Position, recovered: Bool, roster: RosterState?, settings: RoomState? = nil
    ) {
        self.room = room
        self.position = position
        self.recovered = recovered
        self.roster = roster
        self.settings = settings
    }
}

/// One room of the answer to `resume`.
package struct ResumedRoom: Sendable {
    package enum Outcome: Sendable {
        case joined(position: Position, recovered: Bool)
        /// Not joined again, such as `forbidden`.
        case refused(ErrorCode)
    }

    package var room: RoomName
    package var outcome: Outcome
    /// Whether more may be in the archive, which cannot be asked.
    package var isArchiveAway = false

    package init(room: RoomName, outcome: Outcome) {
        self.room = room
        self.outcome = outcome
    }
}

/// The first frame of an authenticated connection.
package struct Welcome: Sendable {
    /// Of the frame that showed the token; nil where none did, or it had none.
    package var id: RequestID?
    package var connectionId: String
    package var nodeId: String
    /// Nil for a guest, who has no inbox either.
    package var userId: UserID?
    /// What brings the user and the rooms back after a break; empty for a guest.
    package var session: String
    /// Whether this connection goes on from an earlier session's.
    package var resumed: Bool
    /// Milliseconds between the gateway's pings.
    package var heartbeat: Int
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64
    /// Where the streams that every connection is in by itself go on from.
    package var positions: [(room: RoomName, position: Position)]
    /// What this gateway takes; nil from one that does not say so.
    package var limits: ClientLimits?

    package init(
        connectionId: String, nodeId: String, userId: UserID?, session: String, resumed: Bool, heartbeat: Int,
        timestamp: Int64, positions: [(room: RoomName, position: Position)], limits: ClientLimits? = nil
    ) {
        self.connectionId = connectionId
        self.nodeId = nodeId
        self.userId = userId
        self.session = session
        self.resumed = resumed
        self.heartbeat = heartbeat
        self.timestamp = timestamp
        self.positions = positions
        self.limits = limits
    }
}

/// The limits of a gateway on one connection, as it tells them at the beginning.
package struct ClientLimits: Hashable, Sendable {
    /// Of one message, over all its fragments.
    package var messageBytes: Int
    /// Frames a second, in the long run.
    package var messagesPerSecond: Int
    /// Frames at once after a rest.
    package var messageBurst: Int
    /// Rooms the connection may be in.
    package var rooms: Int
    /// Users it may watch.
    package var watched: Int

    package init(messageBytes: Int, messagesPerSecond: Int, messageBurst: Int, rooms: Int, watched: Int) {
        self.messageBytes = messageBytes
        self.messagesPerSecond = messagesPerSecond
        self.messageBurst = messageBurst
        self.rooms = rooms
        self.watched = watched
    }
}
