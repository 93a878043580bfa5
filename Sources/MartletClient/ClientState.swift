import GatewayCore
import NIOCore

/// What a client knows, guarded by its lock.
struct ClientState: Sendable {
    /// A request that waits for its reply.
    struct Pending: Sendable {
        enum Owner: Sendable {
            case caller(CheckedContinuation<Result<ServerEvent, MartletClient.Failure>, Never>)
            /// A message that outlives its connection: it goes again, under its dedupe key.
            case publisher(CheckedContinuation<Result<ServerEvent, MartletClient.Failure>, Never>, Draft)
            /// The client itself, which joins this room again.
            case rejoin(RoomName)
            /// The client itself, which has told these positions.
            case resume([RoomName: ClientPosition])
            /// The client itself, which watches these users again.
            case rewatch([UserID])
            /// The client itself, which does not mind the answer.
            case nobody
        }

        var owner: Owner
        /// The room of a `join`.
        var joins: RoomName?
        /// What it has asked with.
        var since: ClientPosition?
        /// A frame that is not sent before its room is joined.
        var held: (room: RoomName, frame: [UInt8])?
        /// Whether the answer to come is about users who are watched from then on.
        var watches = false
        var timeout: Scheduled<Void>?
    }

    /// A message on its way.
    struct Draft: Sendable {
        var room: RoomName
        var frame: [UInt8]
        /// On the present connection.
        var isSent = false
    }

    enum Phase: Sendable {
        case idle
        case running
        case stopped(MartletClient.Failure)
    }

    var phase = Phase.idle
    /// Somebody wants the end.
    var isStopping = false
    /// The socket, from its opening handshake on.
    var socket: WebSocketConnection?
    /// The same once it was welcomed: only then may requests be sent.
    var link: WebSocketConnection?
    var welcome: MartletClient.Welcome?
    var welcomedAt: ContinuousClock.Instant?
    var ending: Reconnection.Ending?
    /// When a `reconnect` frame wants the client to come back.
    var returnsAt: ContinuousClock.Instant?
    /// Brings the rooms back on the next connection.
    var session: String?
    /// The one shown last.
    var token: String?

    var nextID = 0
    var pending: [Int: Pending] = [:]
    /// Of all messages on their way.
    var draftBytes = 0

    var streams = Streams()
    var roomsToRejoin: [RoomName] = []
    var rejoinsUnderWay = 0
    /// Watched users, and what was told of each last.
    var watched: [UserID: Bool] = [:]

    var isPaused = false
    var awaitsRoom = false

    /// Takes a request out, with what it counted for.
    mutating func remove(_ id: Int) -> Pending? {
        guard let request = pending.removeValue(forKey: id) else { return nil }
        if case .publisher(_, let draft) = request.owner { draftBytes -= draft.frame.count }
        return request
    }

    /// The connection is gone: takes out what is lost with it and keeps the messages that will go again.
    mutating func disconnect() -> [Pending] {
        link = nil
        welcome = nil
        welcomedAt = nil
        isPaused = false
        streams.disconnected()
        roomsToRejoin.removeAll()
        rejoinsUnderWay = 0
        return Array(pending.keys).compactMap { id in
            if case .publisher(let continuation, var draft) = pending[id]?.owner, streams.wants(draft.room) {
                draft.isSent = false
                pending[id]?.owner = .publisher(continuation, draft)
                return nil
            }
            return remove(id)
        }
    }

    // MARK: What waits for a room

    /// Whether the room is not there yet and an answer to come may bring it.
    func isOnItsWay(_ room: RoomName) -> Bool {
        !streams.isLive(room) && (streams.wants(room) || pending.values.contains { $0.joins == room })
    }

    /// Sends what waits for a room, messages in the order they were published in.
    ///
    /// Under the lock, so that nothing published later overtakes them.
    mutating func sendWaiting(for room: RoomName) {
        guard let link, streams.isLive(room) else { return }
        for id in pending.keys.sorted() {
            if let held = pending[id]?.held, held.room == room {
                pending[id]?.held = nil
                link.enqueue(text: held.frame)
            }
            guard case .publisher(let continuation, var draft) = pending[id]?.owner, draft.room == room, !draft.isSent
            else { continue }
            draft.isSent = true
            pending[id]?.owner = .publisher(continuation, draft)
            link.enqueue(text: draft.frame)
        }
    }

    /// Takes out what waits for a room and a room's messages, since it will not be joined again.
    mutating func removeWaiting(for room: RoomName) -> [Pending] {
        let drafts = pending.keys.sorted().compactMap { id -> Pending? in
            guard case .publisher(_, let draft) = pending[id]?.owner, draft.room == room else { return nil }
            return remove(id)
        }
        return drafts + removeHeld(for: room)
    }

    /// Takes out the requests that wait for a room, since its join has failed.
    mutating func removeHeld(for room: RoomName) -> [Pending] {
        pending.keys.sorted().compactMap { id in pending[id]?.held?.room == room ? remove(id) : nil }
    }
}
