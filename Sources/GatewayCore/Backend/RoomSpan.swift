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
