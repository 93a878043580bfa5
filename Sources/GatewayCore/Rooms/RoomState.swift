/// A room's settings at one version, as those who follow the room know them.
///
/// A class, so that what holds one for each stream stays small where there are none.
package final class RoomState: Hashable, Sendable {
    /// Grows with each change and never runs backwards; 0 where there are no settings.
    package let version: Int64
    /// A JSON object.
    package let settings: [UInt8]
    /// After how long without anybody the room is forgotten; nil where it is kept.
    package let expires: Duration?
    /// Whether the room was closed: its version is all that is left of it.
    package let isClosed: Bool
    /// The version that closed it last, where that is known; 0 where it never was.
    package let closedAt: Int64
    /// Who is something else than a member, in the room or not.
    package let roles: [UserID: RoleName]
    /// Whether that is all there is to know under this version: not where a change before it has not come.
    package let isWhole: Bool

    package init(
        version: Int64, settings: [UInt8], expires: Duration? = nil, isClosed: Bool = false, closedAt: Int64 = 0,
        roles: [UserID: RoleName] = [:], isWhole: Bool = true
    ) {
        self.version = version
        self.settings = settings
        self.expires = expires
        self.isClosed = isClosed
        self.closedAt = closedAt
        self.roles = roles
        self.isWhole = isWhole
    }

    /// Of a room without settings.
    package static let absent = RoomState(version: 0, settings: Array("{}".utf8))

    /// Of one that was closed.
    package static func closed(at version: Int64) -> RoomState {
        RoomState(version: version, settings: absent.settings, isClosed: true, closedAt: version)
    }

    /// The same settings under a later version, by which something of a user's has changed.
    package func next(_ version: Int64, _ person: RoomPerson? = nil) -> RoomState {
        var roles = roles
        if let person { person.change.apply(to: person.user, in: &roles) }
        return RoomState(
            version: version, settings: isClosed ? RoomState.absent.settings : settings, expires: expires,
            closedAt: closedAt, roles: roles)
    }

    /// The same among users with these roles.
    package func having(_ roles: [UserID: RoleName], isWhole: Bool = true) -> RoomState {
        RoomState(
            version: version, settings: settings, expires: expires, isClosed: isClosed, closedAt: closedAt,
            roles: roles, isWhole: isWhole)
    }

    package func role(of user: UserID?) -> RoleName { user.flatMap { roles[$0] } ?? .member }

    /// Whether settings hold.
    package var isGoverned: Bool { version > 0 && !isClosed }

    package static func == (left: RoomState, right: RoomState) -> Bool {
        left.version == right.version && left.settings == right.settings && left.expires == right.expires
            && left.isClosed == right.isClosed && left.roles == right.roles
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(version)
        hasher.combine(settings)
    }
}

/// A change in a governed room, as its members are told.
package struct RoomChange: Hashable, Sendable {
    package enum Event: String, Hashable, Sendable {
        case updated
        /// Redis has lost settings that were told: these hold, whatever version was known.
        case restored
        /// The members are out of the room.
        case closed
        /// A user has another role.
        case role
        /// A user has the host's chair.
        case host
        case muted, unmuted
        /// The client is out of the room.
        case removed
    }

    package var room: RoomName
    package var event: Event
    package var state: RoomState
    /// Whom it is about; nil where that is nobody, or the client itself.
    package var userId: UserID?
    /// With a user that one's; without one that of whoever is told.
    package var role: RoleName?
    /// Until when a user is mute, in milliseconds since 1970; nil: without end.
    package var until: Int64?
    /// Why the client is out of the room, as whoever did it has put it.
    package var reason: String?

    package init(room: RoomName, event: Event, state: RoomState) {
        self.room = room
        self.event = event
        self.state = state
    }

    /// What is told of settings that stand so now.
    package init(room: RoomName, now state: RoomState) {
        self.init(room: room, event: state.isClosed ? .closed : .updated, state: state)
    }

    /// What is told of a user in a room that is at this version by then.
    package init(room: RoomName, _ person: RoomPerson, state: RoomState) {
        switch person.change {
        case .role(let role):
            self.init(room: room, event: .role, state: state)
            self.role = role
        case .host: self.init(room: room, event: .host, state: state)
        case .muted(let until):
            self.init(room: room, event: .muted, state: state)
            self.until = until
        case .unmuted: self.init(room: room, event: .unmuted, state: state)
        }
        userId = person.user
    }

    /// Whether whoever is told is out of the room by it.
    package var endsMembership: Bool { event == .closed || event == .removed }
}

/// The reason why a room's settings keep a user from joining it or from sending to it.
package enum RoomBar: Hashable, Sendable {
    case locked, full
    /// The user's role may not.
    case role
    case banned, muted
    /// The user was put out of it since.
    case removed
    /// The user may send again after this.
    case slow(Duration)

    package var request: RequestError {
        switch self {
        case .locked: RequestError(.forbidden, "the room is locked")
        case .full: RequestError(.forbidden, "the room is full")
        case .role: RequestError(.forbidden, "the role in the room does not allow it")
        case .banned: RequestError(.forbidden, "banned from the room")
        case .muted: RequestError(.forbidden, "mute in the room")
        case .removed: RequestError(.forbidden, "removed from the room; join anew")
        case .slow(let wait):
            RequestError(
                .rateLimited, "the room is in slow mode; wait before the next message",
                retryAfterMilliseconds: Int(wait.milliseconds))
        }
    }
}
