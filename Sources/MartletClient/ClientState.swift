import GatewayCore
import NIOCore

/// The mutable state of a client, guarded by its lock.
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
            /// The client itself, which reads who is in this room.
            case roster(RoomName, round: Int)
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
        var deferred: (room: RoomName, frame: [UInt8])?
        /// Whether the answer to come is about users who are watched from then on.
        var watches = false
        var timeout: Scheduled<Void>?

        /// Whether the gateway owes an answer.
        var isSent: Bool {
            if case .publisher(_, let draft) = owner { return draft.isSent }
            return deferred == nil
        }
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
        /// Whoever waits is being told.
        case ending(MartletClient.Failure)
        /// It may be started again.
        case stopped(MartletClient.Failure)
    }

    var phase = Phase.idle
    /// Somebody wants the end.
    var isStopping = false
    /// Somebody wants another connection now, not when its time has come.
    var isHurried = false
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
    /// Messages that are not sent yet, the earliest first; some may be answered.
    var unsent: [Int] = []
    /// Of messages on the present connection.
    var pace = Pace(limits: nil, now: .now)
    /// Whether somebody looks after answers that are owed for too long.
    var expectsAnswers = false
    /// Whether it is known when the next message may go.
    var isPacing = false

    var streams = Streams()
    /// Rooms that somebody holds, by their names.
    var wishes: [String: Wish] = [:]
    var roomsToRejoin: [RoomName] = []
    var rejoinsUnderWay = 0
    /// Watched users, and what was told of each last.
    var watched: [UserID: Bool] = [:]

    var isPaused = false
    var awaitsRoom = false

    /// Why nothing is asked any more; nil before the end.
    var end: MartletClient.Failure? {
        switch phase {
        case .idle, .running: nil
        case .ending(let failure), .stopped(let failure): failure
        }
    }

    /// Whether the end is under way.
    var isEnding: Bool {
        switch phase {
        case .idle, .stopped: false
        case .running: isStopping
        case .ending: true
        }
    }

    /// Takes the start upon the caller; false where the client runs.
    mutating func claim() -> Bool {
        switch phase {
        case .running, .ending: return false
        case .idle, .stopped: break
        }
        phase = .running
        isStopping = false
        isHurried = false
        // Its end was a farewell, or a refusal.
        session = nil
        return true
    }

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
        expectsAnswers = false
        forgetRosters()
        unsent.removeAll()
        return pending.keys.sorted().compactMap { id in
            guard case .publisher(let continuation, let draft) = pending[id]?.owner, wants(draft.room) else {
                return remove(id)
            }
            keepForLater(id, draft, continuation)
            return nil
        }
    }

    // MARK: Messages

    /// A message is to be sent, for the first time or again.
    mutating func keepForLater(
        _ id: Int, _ draft: Draft,
        _ continuation: CheckedContinuation<Result<ServerEvent, MartletClient.Failure>, Never>
    ) {
        var draft = draft
        draft.isSent = false
        pending[id, default: Pending(owner: .nobody)].owner = .publisher(continuation, draft)
        let place = unsent.lastIndex { $0 < id }.map { $0 + 1 } ?? 0
        unsent.insert(id, at: place)
    }

    /// Sends the messages whose room is there, or was never joined so that the gateway is to refuse them, as fast as it
    /// takes them; answers how long the next one has to wait.
    ///
    /// Under the lock, so that nothing published later overtakes them.
    mutating func sendDrafts(now: ContinuousClock.Instant) -> Duration? {
        guard let link else { return nil }
        var kept: [Int] = []
        defer { unsent = kept }
        for (index, id) in unsent.enumerated() {
            guard case .publisher(let continuation, var draft) = pending[id]?.owner, !draft.isSent else { continue }
            guard streams.isLive(draft.room) || !wants(draft.room) else {
                kept.append(id)
                continue
            }
            if let wait = pace.spend(now: now) {
                kept += unsent[index...]
                return wait
            }
            draft.isSent = true
            pending[id]?.owner = .publisher(continuation, draft)
            link.enqueue(text: draft.frame)
        }
        return nil
    }

    // MARK: What waits for a room

    /// Whether the room is not there yet and an answer to come may bring it.
    func isOnItsWay(_ room: RoomName) -> Bool {
        !streams.isLive(room) && (wants(room) || pending.values.contains { $0.joins == room })
    }

    /// Sends the requests that wait for a room.
    mutating func sendDeferred(for room: RoomName) {
        guard let link, streams.isLive(room) else { return }
        for id in pending.keys.sorted() {
            guard let deferred = pending[id]?.deferred, deferred.room == room else { continue }
            pending[id]?.deferred = nil
            link.enqueue(text: deferred.frame)
        }
    }

    /// Takes out what waits for a room and a room's messages, since it will not be joined again.
    mutating func removeWaiting(for room: RoomName) -> [Pending] {
        let drafts = pending.keys.sorted().compactMap { id -> Pending? in
            guard case .publisher(_, let draft) = pending[id]?.owner, draft.room == room else { return nil }
            return remove(id)
        }
        return drafts + removeDeferred(for: room)
    }

    /// Takes out the requests that wait for a room, since its join has failed.
    mutating func removeDeferred(for room: RoomName) -> [Pending] {
        pending.keys.sorted().compactMap { id in pending[id]?.deferred?.room == room ? remove(id) : nil }
    }
}
