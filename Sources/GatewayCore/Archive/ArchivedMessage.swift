/// One message as the archive holds it.
package struct ArchivedMessage: Hashable, Sendable {
    package var room: String
    package var epoch: String
    /// By room 1, 2, …, in the order in which its epochs began; 0 until the archive has given one.
    package var epochNumber: Int
    package var seq: Int
    package var userId: String
    /// What the sender calls it; nil where it has no name.
    package var event: String?
    package var msgType: Int
    /// One JSON value, byte for byte as its sender wrote it; nil where it was taken away.
    package var payload: [UInt8]?
    /// Milliseconds since 1970 by Redis's clock.
    package var sentAt: Int64

    package init(
        room: String, epoch: String, epochNumber: Int = 0, seq: Int, userId: String, event: String? = nil, msgType: Int,
        payload: [UInt8]?, sentAt: Int64
    ) {
        self.room = room
        self.epoch = epoch
        self.epochNumber = epochNumber
        self.seq = seq
        self.userId = userId
        self.event = event
        self.msgType = msgType
        self.payload = payload
        self.sentAt = sentAt
    }

    package var position: Position { Position(epoch: epoch, seq: seq) }

    /// About what it takes on its way to a database.
    package var bytes: Int { room.utf8.count + userId.utf8.count + (payload?.count ?? 0) + 64 }
}

/// A message whose payload the archive has to take away.
package struct ArchiveRedaction: Hashable, Sendable {
    package var room: String
    package var epoch: String
    package var seq: Int
    /// The message without its payload, where that is known: it stands in for what neither stream nor log has any more.
    package var message: ArchivedMessage?

    package init(room: String, epoch: String, seq: Int, message: ArchivedMessage?) {
        self.room = room
        self.epoch = epoch
        self.seq = seq
        self.message = message
    }
}

/// Messages of a room that were acknowledged and that the archive never got.
package struct ArchiveGap: Hashable, Sendable {
    package var room: String
    package var epoch: String
    package var epochNumber: Int
    /// The first and the last of them.
    package var from: Int
    package var to: Int
    /// Milliseconds since 1970.
    package var foundAt: Int64

    package init(room: String, epoch: String, epochNumber: Int, from: Int, to: Int, foundAt: Int64) {
        self.room = room
        self.epoch = epoch
        self.epochNumber = epochNumber
        self.from = from
        self.to = to
        self.foundAt = foundAt
    }

    package var count: Int { to - from + 1 }
}
