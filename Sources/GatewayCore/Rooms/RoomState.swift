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

    package init(version: Int64, settings: [UInt8], expires: Duration? = nil, isClosed: Bool = false) {
        self.version = version
        self.settings = settings
        self.expires = expires
        self.isClosed = isClosed
    }

    /// Of a room without settings.
    package static let absent = RoomState(version: 0, settings: Array("{}".utf8))

    /// Of one that was closed.
    package static func closed(at version: Int64) -> RoomState {
        RoomState(version: version, settings: absent.settings, isClosed: true)
    }

    /// Whether settings hold.
    package var isGoverned: Bool { version > 0 && !isClosed }

    package static func == (left: RoomState, right: RoomState) -> Bool {
        left.version == right.version && left.settings == right.settings && left.expires == right.expires
            && left.isClosed == right.isClosed
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(version)
        hasher.combine(settings)
    }
}

/// A change of a room's settings, as its members are told.
package struct RoomChange: Hashable, Sendable {
    package enum Event: String, Hashable, Sendable {
        case updated
        /// Redis has lost settings that were told: these hold, whatever version was known.
        case restored
        /// The members are out of the room.
        case closed
    }

    package var room: RoomName
    package var event: Event
    package var state: RoomState

    package init(room: RoomName, event: Event, state: RoomState) {
        self.room = room
        self.event = event
        self.state = state
    }

    /// What is told of settings that stand so now.
    package init(room: RoomName, now state: RoomState) {
        self.init(room: room, event: state.isClosed ? .closed : .updated, state: state)
    }
}

/// The reason why a room's settings keep a user from joining it or from sending to it.
package enum RoomBar: Hashable, Sendable {
    case locked, full
    /// The user's role may not.
    case role
    /// The user may send again after this.
    case slow(Duration)

    package var request: RequestError {
        switch self {
        case .locked: RequestError(.forbidden, "the room is locked")
        case .full: RequestError(.forbidden, "the room is full")
        case .role: RequestError(.forbidden, "the role in the room does not allow it")
        case .slow(let wait):
            RequestError(
                .rateLimited, "the room is in slow mode; wait before the next message",
                retryAfterMilliseconds: Int(wait.milliseconds))
        }
    }
}
