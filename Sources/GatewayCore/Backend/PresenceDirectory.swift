/// A directory of who is online and who is where, read from the registry: the same answer on every node, from a bounded
/// number of questions to Redis.
package protocol PresenceDirectory: Sendable {
    /// Online users, in an order that stays while others come and go; `cursor` is an earlier page's `next`.
    func users(limit: Int, cursor: String?) async throws(DirectoryError) -> UserPage

    /// Nil for a user who was never seen, or not for a long time.
    func user(_ user: UserID) async throws(DirectoryError) -> UserRecord?

    /// Up to 1,000 users, answered in the same order; `refusal` says which of them are not known just now, where others are.
    func statuses(of users: [UserID]) async throws(DirectoryError) -> [UserStatus]

    /// Which of up to 1,000 users are in one of the rooms together with this one, who need not be in all of them.
    func sharers(
        of user: UserID, in rooms: [RoomName], among users: [UserID]
    ) async throws(DirectoryError) -> Set<UserID>

    /// Rooms with connections or members, in an order that stays while others come and go.
    func rooms(limit: Int, cursor: String?) async throws(DirectoryError) -> RoomPage

    /// The rooms of a span that somebody is in, each once. All rooms are gone through where they are kept, but those of other spans
    /// come no further. It ends early where the task is cancelled.
    ///
    /// - Parameters:
    ///   - limit: as many may be in the span.
    ///   - most: as many may there be of all spans.
    func rooms(in span: RoomSpan, upTo limit: Int, among most: Int) async throws(DirectoryError) -> SpannedRooms

    /// Nil for a room that has neither members nor connections, those within their grace included, nor a log, whatever its
    /// settings.
    func room(_ room: RoomName) async throws(DirectoryError) -> RoomRecord?

    /// Marks every connection of a user to be closed, on whatever node it is; a mark is obeyed within a second, also where
    /// the word about it is lost. None of the user's sessions goes on, and who is banned does not come back.
    func disconnect(_ user: UserID, _ expulsion: Expulsion) async throws(DirectoryError) -> Expelled

    /// Lets a user in again, with whatever token; false where the user was let in before.
    func pardon(_ user: UserID) async throws(DirectoryError) -> Bool

    /// Members who are in no page, and nothing is told of but to backends; by their names.
    func invisibleMembers(of room: RoomName) async throws(DirectoryError) -> [Member]

    /// A page holds up to `limit` members; one who is there all the while is on one page at least, and may be on several.
    func members(of room: RoomName, limit: Int, cursor: String?) async throws(DirectoryError) -> MemberPage
}

extension PresenceDirectory {
    package func invisibleMembers(of room: RoomName) async throws(DirectoryError) -> [Member] { [] }
}

/// The reason why the directory did not answer.
package enum DirectoryError: Error, Hashable, Sendable {
    /// A cursor that no page has given out.
    case badCursor
    case backend(BackendError)

    /// What a client or a backend is told.
    package var request: RequestError {
        switch self {
        case .badCursor: RequestError(.badRequest, "cursor: not one that a page has given")
        case .backend(let error): error.request
        }
    }
}

package struct UserPage: Hashable, Sendable {
    package var users: [UserID]
    package var total: Int
    /// Nil at the end.
    package var next: String?

    package init(users: [UserID], total: Int, next: String?) {
        self.users = users
        self.total = total
        self.next = next
    }
}

package struct UserStatus: Hashable, Sendable {
    package var userId: UserID
    package var isOnline: Bool
    /// Nil for one who is offline, or of whom it is not known.
    package var state: UserState?
    /// When the user last went offline, in milliseconds since 1970 by Redis's clock.
    package var lastSeen: Int64?
    /// Why whoever asked is not told how the user is; nil where the rest says it.
    package var refusal: ErrorCode?

    package init(
        userId: UserID, isOnline: Bool, state: UserState? = nil, lastSeen: Int64?, refusal: ErrorCode? = nil
    ) {
        self.userId = userId
        self.isOnline = isOnline
        self.state = state
        self.lastSeen = lastSeen
        self.refusal = refusal
    }
}

package struct UserRecord: Hashable, Sendable {
    package var status: UserStatus
    /// Without those in their grace.
    package var connections: [ConnectionRecord]
    /// Milliseconds since 1970 by Redis's clock; nil where the user is not banned.
    package var bannedUntil: Int64?

    package init(status: UserStatus, connections: [ConnectionRecord], bannedUntil: Int64? = nil) {
        self.status = status
        self.connections = connections
        self.bannedUntil = bannedUntil
    }
}

/// The order to throw a user out.
package struct Expulsion: Hashable, Sendable {
    package var reason: CloseReason
    /// What stands beside the code in the close frame.
    package var text: String
    /// For how long from now the user is not let in; zero ends an earlier ban, nil leaves it as it is.
    package var ban: Duration?
    /// Milliseconds since 1970: the user's tokens that were issued before are void, and so are those that do not say when.
    /// An earlier moment than the one that holds changes nothing.
    package var tokensBefore: Int64?

    package init(
        reason: CloseReason = .forbidden, text: String, ban: Duration? = nil, tokensBefore: Int64? = nil
    ) {
        self.reason = reason
        self.text = text
        self.ban = ban
        self.tokensBefore = tokensBefore
    }
}

/// The outcome of an expulsion.
package struct Expelled: Hashable, Sendable {
    /// How many connections are closed.
    package var connections: Int
    /// Milliseconds since 1970 by Redis's clock; nil where the user is not banned.
    package var bannedUntil: Int64?

    package init(connections: Int, bannedUntil: Int64?) {
        self.connections = connections
        self.bannedUntil = bannedUntil
    }
}

package struct ConnectionRecord: Hashable, Sendable {
    package var connectionId: String
    package var nodeId: String
    /// Milliseconds since 1970 by Redis's clock.
    package var connectedAt: Int64
    /// Sorted.
    package var rooms: [RoomName]
    /// Nil where it is not known.
    package var remoteAddress: String?
    /// Nil where it is not known.
    package var dialect: ClientDialect?

    package init(
        connectionId: String, nodeId: String, connectedAt: Int64, rooms: [RoomName], remoteAddress: String?,
        dialect: ClientDialect? = .native
    ) {
        self.connectionId = connectionId
        self.nodeId = nodeId
        self.connectedAt = connectedAt
        self.rooms = rooms
        self.remoteAddress = remoteAddress
        self.dialect = dialect
    }
}

package struct RoomPage: Hashable, Sendable {
    package var rooms: [RoomName]
    package var total: Int
    /// Nil at the end.
    package var next: String?

    package init(rooms: [RoomName], total: Int, next: String?) {
        self.rooms = rooms
        self.total = total
        self.next = next
    }
}

package struct RoomRecord: Hashable, Sendable {
    package var room: RoomName
    package var members: Int
    /// Guests included, those in their grace not.
    package var connections: Int
    /// Where its stream stands; nil for a room never written to.
    package var head: Position?
    /// Whether the grace of a guest runs, who is neither of the members nor of the connections then.
    package var hasGuestGrace: Bool

    package init(room: RoomName, members: Int, connections: Int, head: Position?, hasGuestGrace: Bool = false) {
        self.room = room
        self.members = members
        self.connections = connections
        self.head = head
        self.hasGuestGrace = hasGuestGrace
    }

    /// Whether somebody is there, those within their grace included.
    package var isOccupied: Bool { members > 0 || connections > 0 || hasGuestGrace }

    /// Whether there is anything to be said of it, whatever its settings.
    package var isKnown: Bool { isOccupied || head != nil }
}

package struct Member: Hashable, Sendable {
    package var userId: UserID
    /// What is shown of the user: the latest joined connection's, a JSON object.
    package var info: [UInt8]
    /// In this room, without those in their grace.
    package var connections: Int

    package init(userId: UserID, info: [UInt8], connections: Int) {
        self.userId = userId
        self.info = info
        self.connections = connections
    }
}

package struct MemberPage: Hashable, Sendable {
    package var members: [Member]
    /// All members of the room.
    package var count: Int
    package var rosterVersion: Int64
    /// Nil at the end.
    package var next: String?

    package init(members: [Member], count: Int, rosterVersion: Int64, next: String?) {
        self.members = members
        self.count = count
        self.rosterVersion = rosterVersion
        self.next = next
    }
}
