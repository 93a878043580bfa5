import GatewayCore

/// One connection on its way into a room; it belongs to the hub's event loop.
final class Listener {
    let connection: SocketHandler
    let room: HubRoom
    /// The question that has no answer yet.
    var ticket: FollowTicket?
    /// What it is still to be sent; nil until its session has been told where it begins.
    var backlog: Backlog?
    /// The one of the same connection that is being caught up meanwhile: it goes on if this one's question fails.
    var before: Listener?
    /// Whether the connection has left the room, or begins elsewhere in it.
    var isGone = false

    init(connection: SocketHandler, room: HubRoom) {
        self.connection = connection
        self.room = room
    }

    /// Whether it has been sent all that the members have.
    var isCaughtUp: Bool {
        guard let backlog else { return true }
        guard backlog.rest.isEmpty, !backlog.hasMore, backlog.seen == room.position else { return false }
        return backlog.rosterVersion == nil || backlog.rosterVersion == room.roster?.version
    }
}

/// What one listener has missed.
struct Backlog {
    var rest: ArraySlice<RoomMessage>
    /// Whether the log holds more behind `rest`.
    private(set) var hasMore: Bool
    /// Up to where it has been sent, or need not be sent, everything once `rest` is.
    private(set) var seen: Position
    /// Under which the client counts.
    private(set) var epoch: String
    /// The one that the client knows of.
    private(set) var rosterVersion: Int64?

    /// Up to where it has been sent everything.
    var sent: Position {
        guard let next = rest.first else { return Position(epoch: epoch, seq: seen.seq) }
        return Position(epoch: epoch, seq: next.seq - 1)
    }

    init(_ start: StreamStart) {
        rest = start.missed[...]
        hasMore = start.hasMore
        epoch = start.position.epoch
        seen = start.position
        rosterVersion = start.roster?.version
        if hasMore, let last = start.missed.last { seen = last.position }
    }

    /// All behind a position is to be asked for.
    init(after position: Position, _ start: StreamStart) {
        self.init(start)
        rest = []
        hasMore = true
        seen = position
    }
}

/// The listeners of one connection that are being caught up: one after the other, so that no more than a part waits in its socket.
final class CatchUp {
    var listeners: [Listener] = []
    /// Whether a part has not left for the client yet.
    var isSending = false
}
