/// A client's own id for a request: a JSON string or integer, given back on the reply byte for byte.
package struct RequestID: Hashable, Sendable {
    /// As it stood in the request: `7` or `"a\u0062"`, at most 128 bytes.
    package let json: [UInt8]

    package init(json: [UInt8]) {
        self.json = json
    }
}

/// One frame from a client.
package struct ClientRequest: Sendable {
    package var id: RequestID?
    package var command: ClientCommand

    package init(id: RequestID? = nil, command: ClientCommand) {
        self.id = id
        self.command = command
    }
}

/// A frame that could not be read; `id` is what could be made out of it, so that the error finds its request.
package struct MalformedRequest: Error, Sendable {
    package var id: RequestID?
    package var error: RequestError
    /// Whether it could be read all the same, and asks for what cannot be: many in a row are no sign of a broken client.
    package var isReadable = false

    package init(id: RequestID? = nil, error: RequestError, isReadable: Bool = false) {
        self.id = id
        self.error = error
        self.isReadable = isReadable
    }
}

/// A command that a client can give.
package enum ClientCommand: Sendable {
    case auth(token: String)
    /// `since` is what the client has seen of the room; without it, only what comes from now on is sent.
    case join(room: RoomName, since: ClientPosition?)
    /// What the client has seen of the rooms that its session brought back; each room at most once.
    case resume(since: [RoomName: ClientPosition])
    case leave(room: RoomName)
    case message(MessageCommand)
    case history(room: RoomName, range: HistoryRange)
    /// `limit` is 1 to 1,000; `cursor` an earlier page's `next`.
    case members(room: RoomName, limit: Int, cursor: String?)
    case watch(users: [UserID])
    case unwatch(users: [UserID])
    /// To one user's connections in a room; never stored.
    case signal(to: UserID, room: RoomName, payload: [UInt8])
    /// Another `info`, a JSON object, for the members of a room, or of all that the connection is in.
    case presence(room: RoomName?, info: [UInt8])
    /// Whether this connection is away.
    case state(UserState)
    /// Credentials for TURN servers.
    case turn
    /// About a user in a room that the client is in; who it is from the session knows.
    case order(RoomOrder)
    /// Takes the payload of a room's message away; without an epoch of one that the room's present count runs through.
    case redact(room: RoomName, seq: Int, epoch: String?)
    /// Becomes a listener of a room, by the word of an app's backend or as anybody may.
    case subscribe(Subscription)
    /// The connection speaks for this user from here on, by the word of an app's backend, and watches these.
    case signIn(Identity, watching: [UserID])
    case ping
}

/// A message for a room.
package struct MessageCommand: Hashable, Sendable {
    package var room: RoomName
    package var msgType: Int
    package var event: EventName?
    /// One JSON value, byte for byte.
    package var payload: [UInt8]
    /// The client's own key, 1 to 128 bytes; a volatile message has none.
    package var dedupe: String?
    /// Whether the connection that sends it is sent it as well.
    package var echo = true
    /// Whether it is sent to whoever is there and not stored.
    package var isVolatile = false

    package init(
        room: RoomName, msgType: Int = 1, event: EventName? = nil, payload: [UInt8], dedupe: String? = nil
    ) {
        self.room = room
        self.msgType = msgType
        self.event = event
        self.payload = payload
        self.dedupe = dedupe
    }
}

extension ClientCommand {
    private static let usersPerFrame = 50

    /// As how many frames it counts against the client's rate.
    package var weight: Int {
        switch self {
        case .watch(let users), .unwatch(let users): max(1, (users.count - 1) / ClientCommand.usersPerFrame + 1)
        case .auth, .join, .resume, .leave, .message, .history, .members, .signal, .presence, .state, .turn, .order,
            .redact, .subscribe, .signIn, .ping:
            1
        }
    }
}
