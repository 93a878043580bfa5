import GatewayCore

/// Connections of a node that are out of a room, by what was decided in Redis.
package struct PutOut: Hashable, Sendable {
    package let room: RoomName
    /// Whose; nil for everybody's.
    package let user: UserID?
    /// Of the room by then.
    package let version: Int64
    /// Whether the room was closed; else the user was removed.
    package let isClosed: Bool
    package let reason: String?

    package init(room: RoomName, user: UserID?, version: Int64, isClosed: Bool, reason: String?) {
        self.room = room
        self.user = user
        self.version = version
        self.isClosed = isClosed
        self.reason = reason
    }

    /// As the clients are told.
    var change: RoomChange {
        if isClosed { return RoomChange(room: room, event: .closed, state: .closed(at: version)) }
        var change = RoomChange(room: room, event: .removed, state: RoomState.absent.next(version))
        change.reason = reason
        return change
    }
}
