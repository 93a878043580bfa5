/// Rooms by how their names begin.
package struct RoomSpan: Hashable, Sendable {
    /// Of all their names; empty: any.
    package var prefix: String
    /// Whether those of further apps are left out.
    package var isWithoutForeign: Bool

    package init(prefix: String, isWithoutForeign: Bool) {
        self.prefix = prefix
        self.isWithoutForeign = isWithoutForeign
    }

    package func contains(_ room: RoomName) -> Bool {
        room.string.utf8.starts(with: prefix.utf8) && !(isWithoutForeign && AppFence.isForeign(room.string))
    }
}

/// The outcome of a search for all rooms of a span.
package enum SpannedRooms: Hashable, Sendable {
    case all([RoomName])
    /// More of them than were asked for.
    case tooMany
    /// More of all spans than may be gone through; none was.
    case amongTooMany
    /// The task that asked was cancelled.
    case abandoned
}
