extension SessionMachine {
    /// The state of a connection's membership in one room, in its inbox or in `*`.
    enum Membership: Sendable {
        /// Not a member yet, or a member that is being told what it missed; requests about the room wait.
        indirect case joining(Joining)
        case joined
        /// The session brought the room back, and nothing of it is sent before its position is known.
        case awaiting
    }

    /// A stream that has been asked for.
    struct Joining: Sendable {
        enum Origin: Sendable {
            /// A `join` from outside.
            case fresh
            /// A member's `join` with a position; `wasLive` unless its room was still waiting for one.
            case again(wasLive: Bool)
            /// A part of `resume`.
            case resumed
            /// The room goes on from now, without a word to the client.
            case silent
            /// The stream could not be had when it was due: the room goes on by itself from where the client stood, and what
            /// is lost by then is told.
            case late
            /// A backend has put the user in: the client is told once it is there, and nothing where it is not.
            case invited
        }

        var id: RequestID?
        var since: ClientPosition?
        var origin: Origin
        /// Whether the client asked for what was before, and the role may not have it.
        var isCut = false
        /// The question to the backend whether it may; 0 where none is under way. Nothing is asked of the room before its answer.
        var inquiry: UInt32 = 0
        /// The number of the last enrollment; 0 where there was none.
        var enrollment: UInt32 = 0
    }

    /// What is known of this room; nil where the connection has nothing to do with it.
    func membership(of room: RoomName) -> Membership? {
        if room.isEveryone { return everyone }
        if room.isInbox { return isOwnInbox(room) ? inbox : nil }
        return rooms[room]
    }

    mutating func setMembership(of room: RoomName, _ membership: Membership?) {
        if room.isEveryone {
            everyone = membership
        } else if room.isInbox {
            inbox = membership
        } else {
            rooms[room] = membership
        }
    }

    func isOwnInbox(_ room: RoomName) -> Bool {
        guard let identity else { return false }
        return room == RoomName(inboxOf: identity.userId)
    }

    /// Whether what members may do, this connection may do here.
    package func isMember(of room: RoomName) -> Bool {
        switch membership(of: room) {
        case .joined, .awaiting: true
        case .joining(let joining): joining.isMember
        case nil: false
        }
    }

    /// Whether signals in this room are for this connection.
    ///
    /// One whose stream is not there yet gets them too: others see it on the roster before that, and call it at once.
    package func takesSignals(in room: RoomName) -> Bool {
        switch rooms[room] {
        case .joined, .awaiting: true
        case .joining(let joining): joining.inquiry == 0
        case nil: false
        }
    }
}

extension SessionMachine.Joining {
    /// Whether the connection is a member whatever the answer is.
    var isMember: Bool { inquiry == 0 && isReturn }

    /// Whether it is the connection's room already, or its session's.
    var isReturn: Bool {
        switch origin {
        case .fresh, .invited: false
        case .again, .resumed, .silent, .late: true
        }
    }

    /// Whether the backend is asked about a room that is back, and the client has not said where it is to go on.
    var waitsForPosition: Bool {
        if case .silent = origin { inquiry > 0 } else { false }
    }
}

/// One question to the registry whether it takes the connection into a room.
package struct Enrollment: Hashable, Sendable {
    package let room: RoomName
    /// None of the same connection has it.
    package let number: UInt32

    package init(room: RoomName, number: UInt32) {
        self.room = room
        self.number = number
    }
}
