/// What is asked of an archive: some of a room's messages from a place on.
package struct ArchiveQuery: Hashable, Sendable {
    package enum Direction: Hashable, Sendable {
        /// The newest first.
        case backward
        /// The oldest first.
        case forward
    }

    package var room: RoomName
    package var direction: Direction
    /// Before or behind which message; nil: from the archive's end, or its beginning.
    package var place: Position?
    /// Whether an epoch that the archive has nothing of is a later one than all that it has; else there is nothing at all.
    package var isPresent: Bool
    package var limit: Int
    /// About how much is read at most.
    package var maxBytes: Int

    package init(
        room: RoomName, direction: Direction, place: Position?, isPresent: Bool, limit: Int, maxBytes: Int
    ) {
        self.room = room
        self.direction = direction
        self.place = place
        self.isPresent = isPresent
        self.limit = limit
        self.maxBytes = maxBytes
    }
}

/// What an archive has answered.
package struct ArchiveAnswer: Hashable, Sendable {
    /// The oldest first.
    package var messages: [ArchivedMessage]
    /// Whether there are more in the direction that was asked for.
    package var more: Bool

    package init(messages: [ArchivedMessage], more: Bool) {
        self.messages = messages
        self.more = more
    }
}

/// Reads what was archived, off the event loops.
package protocol ArchiveReading: Sendable {
    /// Nil where it cannot be asked just now; from any thread.
    func read(_ query: ArchiveQuery, reply: @escaping @Sendable (ArchiveAnswer?) -> Void)
}
