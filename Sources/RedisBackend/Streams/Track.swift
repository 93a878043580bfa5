import GatewayCore

/// One room, inbox or `*` that this node follows; small, since every user's inbox has one.
///
/// `@unchecked Sendable`: it belongs to the router, which touches it on its loop only.
final class Track: @unchecked Sendable {
    let room: RoomName
    var machine = TrackMachine()
    /// Hubs with at least one live listener.
    var hubs = HubSet()
    /// Delivered in this turn, not yet handed to the hubs.
    var turn: [RoomMessage] = []
    /// The next one with the same hash.
    var next: Track?

    init(room: RoomName) {
        self.room = room
    }
}

/// The choice of rooms whose heads are to be renewed.
enum WrittenHeads {
    /// Those that have messages, and so live long, too.
    case included
    case leftOut
}

extension TrackMachine {
    /// The life that the room's head is to have; nil where it is not to be renewed.
    func headLife(_ written: WrittenHeads, of room: RoomName, limits: LogLimits) -> Duration? {
        if position?.seq ?? 0 > 0 { return written == .included ? limits.headLife : nil }
        // An inbox has no head before its first message.
        return room.isInbox ? nil : LogLimits.emptyHeadLife
    }
}

extension RosterChange {
    /// A step that came over the room's channel.
    init(_ message: PresenceMessage, of room: RoomName) {
        let events = message.events.map { event in
            switch event.change {
            case .update(let info):
                RosterEvent(kind: .update, userId: event.userId, info: info, connection: nil)
            case .join(let info):
                RosterEvent(kind: .join, userId: event.userId, info: info, connection: event.connection)
            case .leave:
                RosterEvent(kind: .leave, userId: event.userId, info: nil, connection: event.connection)
            }
        }
        self.init(
            room: room, events: events, members: message.members, version: message.version,
            timestamp: message.timestamp)
    }

    /// The roster has changed unseen.
    init(_ state: RosterState, of room: RoomName) {
        self.init(
            room: room, events: [], members: state.members, version: state.version,
            timestamp: state.timestamp)
    }
}
