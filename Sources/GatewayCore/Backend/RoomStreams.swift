/// The live streams of rooms and of users' states, as the hubs of a node follow them.
///
/// Every call may come from any thread; what one hub asks is carried out in the order it asked, and everything
/// about one room reaches a hub in order, through one `receive`.
package protocol RoomStreams: Sendable {
    /// Makes a hub known; the number is what it names itself by from then on.
    func open(_ sink: any StreamSink) -> HubNumber

    /// Follows a room for one more listener: answered by `following` or `failed` under the same ticket.
    ///
    /// From `following` on, the hub is sent every message of the room after the answer's position, and every change of
    /// its roster after the answer's version. An inbox is followed while its user has a connection of this node.
    ///
    /// - Parameters:
    ///   - since: what the listener has seen; nil asks for nothing that lies before now.
    ///   - portion: how much of what it has missed the answer may hold.
    func follow(
        _ room: RoomName, since: ClientPosition?, portion: Portion, ticket: FollowTicket, hub: HubNumber)

    /// Tells that the hub has no listener in this room any more, answered or waiting.
    func unfollow(_ room: RoomName, hub: HubNumber)

    /// Follows the state of users for a hub: answered by `watching` or `watchFailed` under the same ticket, with the state
    /// of each in the order asked; from then on the hub is sent every `status` of theirs.
    ///
    /// - Parameters:
    ///   - users: up to 1,000, among them those that the hub follows already.
    ///   - held: how many the connection that asks watches with these.
    func watch(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber)

    /// Tells that nobody of the hub watches this user any more.
    func unwatch(_ user: UserID, hub: HubNumber)
}

/// A hub's number within its node, from 0.
package typealias HubNumber = Int

/// A hub's own number for one `follow` or `watch`; unique within the hub.
package typealias FollowTicket = UInt64

/// The point at which a listener begins.
package struct StreamStart: Sendable {
    /// Where the room stands: what comes after it is live.
    package var position: Position
    /// Whether nothing is missing between the position that the listener gave and the first of `missed`, or now; true where it gave none.
    package var recovered: Bool
    /// Whether more may be in the archive, which cannot be asked.
    package var isArchiveAway = false
    /// What the listener has missed, in order, up to `position`; the first part of it, or nothing, where `hasMore`.
    package var missed: [RoomMessage]
    /// There is more between the last of `missed`, or the position that the listener gave, and `position`: it is not live
    /// yet, and asks again from there.
    package var hasMore: Bool
    /// The room's roster at the same moment; nil for inboxes and `*`.
    package var roster: RosterState?
    /// The room's settings at the same moment; nil where it has none.
    package var settings: RoomState?
    /// What the listener's user may read of the room; nil where it has no settings. The hub's to say.
    package var reading: RoomReading?
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64

    package init(
        position: Position, recovered: Bool = true, missed: [RoomMessage] = [], hasMore: Bool = false,
        roster: RosterState? = nil, settings: RoomState? = nil, timestamp: Int64
    ) {
        self.position = position
        self.recovered = recovered
        self.missed = missed
        self.hasMore = hasMore
        self.roster = roster
        self.settings = settings
        self.timestamp = timestamp
    }

    /// After which it goes on: where `missed` begins, or where the room stands.
    package var beginning: Position {
        guard let first = missed.first else { return position }
        return Position(epoch: position.epoch, seq: first.seq - 1)
    }
}

/// A delivery to a hub, in order.
package enum StreamDelivery: Sendable {
    /// New messages of one room, in `seq` order without a hole since what came before; of all hubs one is told when they
    /// came, and says how long they took.
    case messages(room: RoomName, messages: [RoomMessage], arrival: MessageArrival? = nil)
    /// One that is volatile: whoever is in the room now is sent it, and nobody else ever.
    case unstored(RoomMessage)
    /// The listener is live from the start's position on, unless that has more.
    case following(ticket: FollowTicket, room: RoomName, start: StreamStart)
    case failed(ticket: FollowTicket, room: RoomName, error: BackendError)
    /// Something was lost: the room goes on after this position.
    case gap(room: RoomName, position: Position)
    /// Nothing was lost: the room goes on under a new epoch.
    case epoch(room: RoomName, position: Position)
    /// The roster of a followed room has changed; versions never go back.
    case presence(RosterChange)
    /// How many connections are in a followed room, where somebody is to know it.
    case counted(RoomName, connections: Int)
    /// The same for those of its members who have come since and were told no number yet.
    case countedForNewcomers(RoomName, connections: Int)
    /// The settings of a followed room have changed; versions never go back.
    case room(RoomChange)
    /// Messages of a followed room have no payloads any more.
    case redacted(Redaction)
    case watching(ticket: FollowTicket, users: [UserStatus])
    case watchFailed(ticket: FollowTicket, error: BackendError)
    /// A watched user has come or gone.
    case status(StatusChange)
    /// For those connections of the user that are in the room.
    case signal(Signal)
    /// A connection of the node, perhaps another hub's, is out of a room.
    case putOut(connection: String, RoomChange)
    /// Connections of the user are to join a room.
    case invited(UserID, to: RoomName)
    /// The backend wants to be asked again about connections of the user.
    case reviewed(UserID)
    /// A connection of the node, perhaps another hub's, is to be closed.
    case close(connection: String, reason: CloseReason, text: String)
}

/// A hub, as the streams see it.
package protocol StreamSink: AnyObject, Sendable {
    /// Takes what one turn brought; called on any thread, never twice at once, and must not block.
    func receive(_ deliveries: [StreamDelivery])
}
