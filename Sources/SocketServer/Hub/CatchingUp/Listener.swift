import GatewayCore

/// One connection on its way into a room; it belongs to the hub's event loop.
final class Listener {
    let connection: SocketHandler
    let room: HubRoom
    /// The question that has no answer yet.
    var ticket: FollowTicket?
    /// The position that the last question gave.
    var since: ClientPosition?
    /// What it is still to be sent; nil until its session has been told where it begins.
    var backlog: Backlog?
    /// Of the messages that it holds, or that the answer under way may hold.
    var missedBytes = 0 {
        didSet { connection.missedBytes += missedBytes - oldValue }
    }
    /// Whether the next message was larger than what the answer could hold.
    var needsRoom = false
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

    /// The question has its answer.
    func answered(_ start: StreamStart) {
        ticket = nil
        needsRoom = missedBytes > 0 && start.hasMore && start.missed.isEmpty
        missedBytes = start.missed.reduce(0) { $0 + $1.memoryBytes }
    }

    /// Takes out the next message to be sent.
    func next() -> RoomMessage? {
        guard let message = backlog?.rest.popFirst() else { return nil }
        missedBytes -= message.memoryBytes
        return message
    }
}

/// What one listener has missed.
struct Backlog {
    fileprivate(set) var rest: ArraySlice<RoomMessage>
    /// Whether the log holds more behind `rest`.
    let hasMore: Bool
    /// Up to where it has been sent, or need not be sent, everything once `rest` is.
    let seen: Position
    /// The one that the client knows of.
    let rosterVersion: Int64?

    /// - Parameter since: the position from which the start goes on.
    init(_ start: StreamStart, since: ClientPosition?) {
        rest = start.missed[...]
        hasMore = start.hasMore
        rosterVersion = start.roster?.version
        let last = hasMore ? start.missed.last?.seq ?? since?.seq : nil
        seen = Position(epoch: start.position.epoch, seq: last ?? start.position.seq)
    }

    /// Of a member that is to be fed from the log: it has been sent all up to `seen`.
    init(of seen: Position, rosterVersion: Int64?) {
        rest = []
        hasMore = false
        self.seen = seen
        self.rosterVersion = rosterVersion
    }

    /// Under which the client counts.
    var epoch: String { seen.epoch }

    /// Up to where it has been sent everything.
    var sent: Position {
        guard let next = rest.first else { return seen }
        return Position(epoch: epoch, seq: next.seq - 1)
    }
}

/// The listeners of one connection that are being caught up: so many at a time that no more than a part waits in its
/// socket, and no more than a part is held besides.
final class CatchUp {
    /// They hold something to send.
    var ready: [Listener] = []
    /// They have to ask for more.
    var hungry: [Listener] = []
    /// Whether a part has not left for the client yet.
    var isSending = false
    /// Of the last part.
    var sendingBytes = 0

    var isEmpty: Bool { ready.isEmpty && hungry.isEmpty }
}
