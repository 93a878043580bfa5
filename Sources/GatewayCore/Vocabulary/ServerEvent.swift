/// Any frame the gateway sends.
package enum ServerEvent: Sendable {
    case welcome(Welcome)
    /// `expires` in milliseconds since 1970; nil where the token never ends.
    case authenticated(id: RequestID?, expires: Int64?)
    case joined(id: RequestID?, room: RoomName, position: Position)
    case left(id: RequestID?, room: RoomName)
    case ack(id: RequestID?, room: RoomName, published: Published)
    case history(id: RequestID?, page: HistoryPage)
    case pong(id: RequestID?)
    case message(RoomMessage)
    /// Something of the room was lost; it goes on after this position.
    case gap(room: RoomName, position: Position)
    /// The room goes on without a loss under a new epoch.
    case epoch(room: RoomName, position: Position)
    /// The node is draining: come back, elsewhere, after this many milliseconds.
    case reconnect(afterMilliseconds: Int)
    case error(id: RequestID?, error: RequestError)
}

/// The first frame of an authenticated connection.
package struct Welcome: Sendable {
    package var connectionId: String
    package var nodeId: String
    package var userId: UserID
    /// Milliseconds between the gateway's pings.
    package var heartbeat: Int
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64
    /// Where the streams that every connection is in by itself go on from.
    package var positions: [(room: RoomName, position: Position)]

    package init(
        connectionId: String, nodeId: String, userId: UserID, heartbeat: Int, timestamp: Int64,
        positions: [(room: RoomName, position: Position)]
    ) {
        self.connectionId = connectionId
        self.nodeId = nodeId
        self.userId = userId
        self.heartbeat = heartbeat
        self.timestamp = timestamp
        self.positions = positions
    }
}
