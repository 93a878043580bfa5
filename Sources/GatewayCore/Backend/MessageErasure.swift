/// Takes payloads of messages away, wherever they are kept or will come: the messages themselves stay, with `null` in their
/// place.
package protocol MessageErasure: Sendable {
    /// Takes one message's payload away and tells the room's members; again it changes nothing.
    ///
    /// `reply` is called exactly once, on any thread: nil where the room never had such a message.
    ///
    /// - Parameter epoch: of which epoch the number is; nil: of those that the room's present count runs through.
    func redact(
        _ seq: Int, of epoch: String?, in room: RoomName,
        reply: @escaping @Sendable (Result<Redacted?, BackendError>) -> Void)

    /// Takes away what the store holds of a user: the payloads of the messages that they sent, what lies in their inbox,
    /// their sessions, and when they were last seen. Broken off, it is begun again: what is done stays done.
    func erase(_ user: UserID) async throws(BackendError) -> Erased
}

extension MessageErasure {
    package func redact(_ seq: Int, of epoch: String?, in room: RoomName) async throws(BackendError) -> Redacted? {
        try await withCheckedContinuation { continuation in
            redact(seq, of: epoch, in: room) { continuation.resume(returning: $0) }
        }.get()
    }
}

/// The message whose payload was taken away.
package struct Redacted: Hashable, Sendable {
    package var position: Position
    /// Of the room's settings; 0 where it has none.
    package var version: Int64

    package init(position: Position, version: Int64) {
        self.position = position
        self.version = version
    }
}

/// What was taken away of a user.
package struct Erased: Hashable, Sendable {
    /// Rooms and inboxes that held messages of theirs.
    package var rooms = 0
    package var messages = 0

    package init(rooms: Int = 0, messages: Int = 0) {
        self.rooms = rooms
        self.messages = messages
    }
}

/// Messages of a room whose payloads were taken away, as its members are told.
package struct Redaction: Hashable, Sendable {
    package var room: RoomName
    /// Of which epoch they are.
    package var epoch: String
    /// Whether the room's present count runs through that epoch: then these are the room's messages with these numbers.
    package var isPresent: Bool
    package var seqs: [Int]

    package init(room: RoomName, epoch: String, isPresent: Bool, seqs: [Int]) {
        self.room = room
        self.epoch = epoch
        self.isPresent = isPresent
        self.seqs = seqs
    }
}
