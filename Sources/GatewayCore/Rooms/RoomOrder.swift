/// An order about a user in a governed room, of a backend or of a client that is in the room.
package struct RoomOrder: Hashable, Sendable {
    package enum Act: Hashable, Sendable {
        /// Gives a role, which is kept for the user, in the room or not; `host` moves the chair, to one who is in it.
        case role(RoleName)
        /// Until then, in milliseconds since 1970, nothing of the user's is stored or handed on there; nil: without end.
        case mute(until: Int64?)
        case unmute
        /// Out, and not in again until then; nil: without end.
        case ban(until: Int64?)
        case unban
        /// Out with all connections and sessions; who joins anew is in again.
        case remove
        /// Lets the user in once where the room is locked, or the role may not join. For backends.
        case admit
    }

    /// The client that asks.
    package struct Author: Hashable, Sendable {
        package var user: UserID
        package var connection: String

        package init(user: UserID, connection: String) {
            self.user = user
            self.connection = connection
        }
    }

    package static let maxReasonCharacters = 200
    /// The moments, in milliseconds since 1970, that something may end at. What is below is a moment in seconds: as milliseconds
    /// it would lie before 1973, and bind nobody.
    package static let ends = 100_000_000_000...9_007_199_254_740_991

    package var room: RoomName
    package var user: UserID
    package var act: Act
    /// Nil for a backend, which may do all of it.
    package var author: Author?
    /// What whoever is put out is told; empty for nothing.
    package var reason: String

    package init(_ act: Act, _ user: UserID, in room: RoomName, by author: Author? = nil, reason: String = "") {
        self.room = room
        self.user = user
        self.act = act
        self.author = author
        self.reason = reason
    }

    /// Whether it means nothing in a room that keeps no roster.
    package var needsRoster: Bool {
        switch act {
        case .role(let role): role == .host
        case .ban, .unban, .remove, .admit: true
        case .mute, .unmute: false
        }
    }
}

/// Why a client's order is refused.
package enum RoomDenial: String, Hashable, Sendable {
    /// It is not in the room.
    case outside
    /// Its role may not moderate.
    case right
    /// The other's role may more than its own, or the role that it gives.
    case rank
}

/// What members are told of one of them.
package struct RoomPerson: Hashable, Sendable {
    package enum Change: Hashable, Sendable {
        case role(RoleName)
        case host
        case muted(until: Int64?)
        case unmuted
    }

    package var user: UserID
    package var change: Change

    package init(user: UserID, change: Change) {
        self.user = user
        self.change = change
    }
}

extension RoomPerson.Change {
    /// What becomes of the roles in a room where it concerns this user.
    func apply(to user: UserID, in roles: inout [UserID: RoleName]) {
        switch self {
        case .role(let role): roles[user] = role == .member ? nil : role
        case .host:
            for (before, role) in roles where role == .host { roles[before] = nil }
            roles[user] = .host
        case .muted, .unmuted: break
        }
    }
}

/// A message whose payload a client with the right has taken away.
package struct RedactionOrder: Hashable, Sendable {
    package var room: RoomName
    package var seq: Int
    /// Nil for those epochs that the room's present count runs through.
    package var epoch: String?
    package var author: RoomOrder.Author

    package init(room: RoomName, seq: Int, epoch: String?, by author: RoomOrder.Author) {
        self.room = room
        self.seq = seq
        self.epoch = epoch
        self.author = author
    }
}

/// Who is what in a governed room.
package struct RoomRoles: Hashable, Sendable {
    /// Who has the host's chair, in the room or not.
    package var host: UserID?
    /// The host's among them.
    package var roles: [UserID: RoleName] = [:]
    /// Until when, in milliseconds since 1970; 0: without end.
    package var muted: [UserID: Int64] = [:]
    package var banned: [UserID: Int64] = [:]

    package init(host: UserID? = nil) {
        self.host = host
    }

    package var isEmpty: Bool { host == nil && roles.isEmpty && muted.isEmpty && banned.isEmpty }
}
