/// The live streams of rooms, as the hubs of a node follow them.
///
/// Every call may come from any thread; what one hub asks is carried out in the order it asked, and everything
/// about one room reaches a hub in order, through one `receive`.
package protocol RoomStreams: Sendable {
    /// Makes a hub known; the number is what it names itself by from then on.
    func open(_ sink: any StreamSink) -> HubNumber

    /// Follows a room for one more listener: answered by `following` or `failed` under the same ticket.
    ///
    /// From `following` on, the hub is sent every message of the room after the answer's position.
    func follow(_ room: RoomName, ticket: FollowTicket, hub: HubNumber)

    /// Tells that the hub has no listener in this room any more, answered or waiting.
    func unfollow(_ room: RoomName, hub: HubNumber)
}

/// A hub's number within its node, from 0.
package typealias HubNumber = Int

/// A hub's own mark for one `follow`; unique within the hub.
package typealias FollowTicket = UInt64

/// What a hub is told, in order.
package enum StreamDelivery: Sendable {
    /// New messages of one room, in `seq` order without a hole since what came before.
    case messages(room: RoomName, messages: [RoomMessage])
    /// The listener is live from this position on: `missed` first (it lies after `position`), then what comes.
    case following(ticket: FollowTicket, room: RoomName, position: Position, timestamp: Int64, missed: [RoomMessage])
    case failed(ticket: FollowTicket, room: RoomName, error: BackendError)
    /// Something was lost: the room goes on after this position.
    case gap(room: RoomName, position: Position)
    /// Nothing was lost: the room goes on under a new epoch.
    case epoch(room: RoomName, position: Position)
}

/// A hub, as the streams see it.
package protocol StreamSink: AnyObject, Sendable {
    /// Takes what one turn brought; called on any thread, never twice at once, and must not block.
    func receive(_ deliveries: [StreamDelivery])
}
