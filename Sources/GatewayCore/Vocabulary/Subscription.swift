/// A visitor's wish to be in a room: that of a client which an app has let in, and which has no session.
package struct Subscription: Sendable {
    package var room: RoomName
    /// Whether the app's backend has said that the connection may be in it; else the room must be open to guests.
    package var isSigned: Bool
    /// Whom the connection shows to the others there; nil where it shows nobody, and is told of nobody.
    package var member: Identity?
    /// Whether it shows somebody: whoever has signed in, where no other is named.
    package var isShown: Bool
    /// Whether it may send volatile messages.
    package var takesEvents = false
    /// Whether it is told the last message first.
    package var tellsLast = false

    package init(_ room: RoomName, isSigned: Bool, member: Identity? = nil) {
        self.room = room
        self.isSigned = isSigned
        self.member = member
        isShown = member != nil
    }
}

/// The last message of a room, as one who subscribes to it is told.
package enum LastMessage: Sendable {
    case message(RoomMessage)
    /// There is none, or it is too old.
    case absent

    /// An older one is not told.
    private static let age = Duration.seconds(1800)

    /// - Parameter start: where the one begins that asked for the last message.
    package init(of start: StreamStart) {
        guard let message = start.missed.last, start.timestamp - message.timestamp <= LastMessage.age.milliseconds,
            start.reading?.history != false
        else {
            self = .absent
            return
        }
        self = .message(message)
    }
}
