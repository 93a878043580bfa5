/// Tells the registry what happens to this node's connections.
///
/// Every call may come from any thread; what is told of one connection is carried out in the order of the calls. While
/// Redis is away, calls wait and are caught up.
package protocol Presence: Sendable {
    /// Registers a connection, under a new session or as the next one of an earlier session.
    ///
    /// `reply` is called exactly once, on any thread; after a failure the connection is not registered.
    func connect(
        _ connection: PresenceConnection, resuming: SessionResumption?,
        reply: @escaping @Sendable (Result<Registration, RegistrationError>) -> Void)

    /// Makes a connection known that has no user: nothing is registered of it but the rooms that it is in, until `connect` says whose it
    /// is; it stays in its rooms then, unless that fails.
    func connectVisitor(_ id: String)

    /// Takes a connection out of the registry, and out of all rooms it joined or asked for.
    func disconnect(_ id: String, _ departure: Departure)

    /// Makes the connection's user a member of a room; `info` is a JSON object that the other members are shown.
    ///
    /// `reply` is called exactly once, on any thread. A failure leaves the connection outside the room.
    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void)

    /// Makes somebody a member of a room whom a connection shows there, be it its own user or not; else as `join`.
    func join(
        _ room: RoomName, connection id: String, as member: UserID, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void)

    /// Notes in the connection's session that it is in a room without a roster (`presence: off`), so that a resume
    /// brings it back; `leave` takes it out again. Nobody is told.
    func joinQuietly(_ room: RoomName, connection id: String)

    /// Notes that a connection is in a room and shows nobody there, so that the room is occupied by it and it is counted among
    /// the room's connections; `leave` takes it out again. Of a connection that is not known nothing is noted.
    func attend(_ room: RoomName, connection id: String)

    /// Notes for receivers of events that somebody came to a room for its last message and found none.
    func noteMiss(in room: RoomName)

    /// Changes what the members of rooms are shown of the connection's user, in rooms that it is in: a JSON object, kept for
    /// its session.
    ///
    /// `reply` is called exactly once, on any thread; after a failure it is changed in some of the rooms, or none.
    func show(
        _ info: [UInt8], in rooms: [RoomName], connection id: String,
        reply: @escaping @Sendable (Result<Void, BackendError>) -> Void)

    /// Says whether a connection is away; its user is when all are.
    ///
    /// `reply` is called exactly once, on any thread.
    func setState(
        _ state: UserState, connection id: String, reply: @escaping @Sendable (Result<Void, BackendError>) -> Void)

    /// Takes a connection out of a room, with or without a roster.
    func leave(_ room: RoomName, connection id: String)

    /// Says whether a user who is there already may go on with a token that was issued then (see ``Identity``).
    ///
    /// `reply` is called exactly once, on any thread.
    func admits(_ user: UserID, issuedAt: Int64?, reply: @escaping @Sendable (Clearance) -> Void)

    /// Hands a signal to the other user's connections in the room, on whatever nodes; `id` is the sender's connection.
    ///
    /// `reply` is called exactly once, on any thread: `notMember` where the sender, `notFound` where the other is not in the room.
    func signal(
        _ signal: Signal, connection id: String,
        reply: @escaping @Sendable (Result<Void, SignalError>) -> Void)
}

/// One connection, as the registry keeps it.
package struct PresenceConnection: Hashable, Sendable {
    /// Unique for ever; without blanks and bars.
    package var id: String
    package var userId: UserID
    /// The client's address; empty where it is not known.
    package var address: String
    /// When the token was issued that let it in, as ``Identity`` has it.
    package var issuedAt: Int64?
    package var dialect: ClientDialect

    package init(
        id: String, userId: UserID, address: String, issuedAt: Int64? = nil, dialect: ClientDialect = .native
    ) {
        self.id = id
        self.userId = userId
        self.address = address
        self.issuedAt = issuedAt
        self.dialect = dialect
    }
}

/// The claim of a connection to an earlier session that it wants to go on with.
package struct SessionResumption: Sendable {
    /// As an earlier `welcome` gave it; anything else begins a new session.
    package var session: String
    /// What the members of its rooms are shown, a JSON object.
    package var info: [UInt8]
    /// Whether the user may still be in a room.
    package var isAllowed: @Sendable (RoomName) -> Bool

    package init(session: String, info: [UInt8], isAllowed: @escaping @Sendable (RoomName) -> Bool) {
        self.session = session
        self.info = info
        self.isAllowed = isAllowed
    }
}

/// A connection that has been registered.
package struct Registration: Hashable, Sendable {
    package var session: String
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64
    /// Nil for a new session.
    package var resumed: ResumedSession?
    /// Why it is a new one, where an earlier one was asked for.
    package var missed: SessionMiss?

    package init(
        session: String, timestamp: Int64, resumed: ResumedSession? = nil, missed: SessionMiss? = nil
    ) {
        self.session = session
        self.timestamp = timestamp
        self.resumed = resumed
        self.missed = missed
    }
}

/// The reason why an earlier session was not gone on with, as the metrics name it.
package enum SessionMiss: String, CaseIterable, Sendable {
    /// Redis does not have it: its time was over, or it was lost. Nothing is left there that would tell which.
    case unknown
    /// It was ended by a disconnection of the user.
    case ended
    /// It is, or was, another user's.
    case otherUser = "other_user"
    /// This deployment never gave it out.
    case forged
}

/// The session that a connection has gone on with: it is in these rooms again, with no event told.
package struct ResumedSession: Hashable, Sendable {
    package var rooms: [RoomName]
    /// Rooms of the session that the user may not be in any more, left by now.
    package var forbidden: [RoomName]
    /// Behind which seq the user has been in them, as ``RosterState`` says it.
    package var since: [RoomName: Int] = [:]

    package init(rooms: [RoomName], forbidden: [RoomName]) {
        self.rooms = rooms
        self.forbidden = forbidden
    }
}

/// The reason why a connection was not registered.
package enum RegistrationError: Error, Hashable, Sendable {
    /// The user has as many connections as one may have, and the configuration refuses the newest.
    case tooManyConnections
    /// A backend has banned the user.
    case banned
    /// The token is from before the moment at which a backend has made the user's tokens void.
    case tokenVoid
    case backend(BackendError)
}

/// The answer to whether a user is let in, by what a backend has said of the user.
package enum Clearance: Hashable, Sendable {
    case admitted, banned, tokenVoid
    /// Redis could not be asked.
    case unknown
}

/// The reason why a signal was not handed on.
package enum SignalError: Error, Hashable, Sendable {
    /// The sender is not in the room.
    case notMember
    /// The other is not in the room.
    case notFound
    case backend(BackendError)

    package var request: RequestError {
        switch self {
        case .notMember: RequestError(.notMember, "join the room first")
        case .notFound: RequestError(.notFound, "to: not a member of the room")
        case .backend(let error): error.request
        }
    }
}

/// A room's roster at one moment.
package struct RosterState: Hashable, Sendable {
    /// Users with at least one connection in the room.
    package var members: Int
    package var version: Int64
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64
    /// The seq of the room's last message before the member came whose joining found the roster so, where the role there may
    /// not read what was before; nil for all others, and where that is not known.
    package var since: Int?

    package init(members: Int, version: Int64, timestamp: Int64, since: Int? = nil) {
        self.members = members
        self.version = version
        self.timestamp = timestamp
        self.since = since
    }
}

/// The way in which a connection ends.
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

/// The cause of a change of presence, as the ledger and the webhooks say it.
package enum PresenceCause: String, Hashable, Sendable {
    case explicit, closed, lost, kicked, replaced, drained, restored
    case nodeLost = "node_lost"
}
