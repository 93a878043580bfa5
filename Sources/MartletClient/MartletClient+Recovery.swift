import GatewayCore
import NIOCore

/// What a new connection is asked for, so that all goes on as before; all on the socket's event loop.
extension MartletClient {
    private static let rejoinsAtOnce = 32
    static let pauseAfterRefusal = Duration.seconds(1)
    /// Of names and positions, where the gateway does not say what it takes in a frame: what one with default settings
    /// does, with some air.
    private static let frameBytes = 60_000

    /// What fits into one frame on this connection, with some air.
    static func frameBytes(_ limits: Limits?) -> Int {
        limits.map { $0.messageBytes - $0.messageBytes / 10 } ?? frameBytes
    }

    // MARK: Rooms

    /// The answer to `resume`, whose positions were these.
    func resumed(_ asked: [RoomName: ClientPosition], with result: Result<ServerEvent, Failure>) {
        guard let socket = state.withLock({ $0.link }) else { return }
        guard case .success(.resumed(_, let rooms)) = result else {
            // What did not come about in one frame does so room by room.
            state.withLock { state in
                state.roomsToRejoin += asked.keys.filter { state.streams.wants($0) && !state.streams.isLive($0) }
            }
            return rejoin()
        }
        for outcome in state.withLock({ $0.streams.resumed(rooms, asked: asked) }) {
            switch outcome {
            case .resumed(let room, let position):
                isThere(room)
                tellRejoined(room, at: position, from: socket)
                state.withLock { sendWaiting(for: room, &$0) }
            case .lost(let room, let position):
                isThere(room)
                tellRejoined(room, at: position, from: socket)
                deliver(.gap(room: room.string, position: Position(position)), from: socket)
                state.withLock { sendWaiting(for: room, &$0) }
            case .refused(let room, let code):
                giveUp(room, for: .refused(code: code.rawValue, message: "the room was not resumed"))
            case .join(let room): state.withLock { $0.roomsToRejoin.append(room) }
            case .leave(let room):
                // One that is held is being joined: that the session knew it is the answer that was lost.
                if !state.withLock({ $0.wants(room) }) { send(.leave(room: room), for: .nobody) }
            }
        }
        rejoin()
    }

    /// Joins rooms again, some at a time, since a gateway limits how much a client may ask at once.
    func rejoin() {
        while true {
            let next = state.withLock { state -> (room: RoomName, since: ClientPosition?)? in
                // A part of what the gateway takes at once: others ask as well.
                let burst = state.welcome?.limits.map { max(1, $0.messageBurst / 4) } ?? MartletClient.rejoinsAtOnce
                guard state.link != nil, state.rejoinsUnderWay < min(burst, MartletClient.rejoinsAtOnce) else {
                    return nil
                }
                while let room = state.roomsToRejoin.popLast() {
                    let (position, isOwed) = state.since(of: room)
                    guard isOwed else { continue }
                    state.rejoinsUnderWay += 1
                    return (room, position)
                }
                return nil
            }
            guard let next else { return }
            send(.join(room: next.room, since: next.since), for: .rejoin(next.room))
        }
    }

    func rejoined(_ room: RoomName, with result: Result<ServerEvent, Failure>) {
        guard state.withLock({ $0.link != nil }) else { return }
        state.withLock { $0.rejoinsUnderWay -= 1 }
        guard case .failure(let failure) = result else { return rejoin() }
        switch failure {
        case _ where failure.isPassing:
            state.withLock { $0.roomsToRejoin.append(room) }
            onceMore(after: failure.retryAfter) { $0.rejoin() }
        // The next connection begins anew.
        case .disconnected, .notConnected, .closed, .cancelled: break
        case .refused, .timedOut, .tooManyPending, .invalid, .stopped:
            giveUp(room, for: failure)
            rejoin()
        }
    }

    /// The inbox and `*` cannot be joined again by their user: they need not be told of.
    func tellRejoined(_ room: RoomName, at position: GatewayCore.Position, from socket: WebSocketConnection) {
        guard !room.isInbox, !room.isEveryone else { return }
        deliver(.rejoined(room: room.string, position: Position(position)), from: socket)
    }

    func giveUp(_ room: RoomName, for failure: Failure) {
        isRefused(room, for: failure)
        let (socket, waiting) = state.withLock { state in
            state.streams.left(room)
            return (state.link, state.removeWaiting(for: room))
        }
        if let socket { deliver(.rejoinFailed(room: room.string, failure: failure), from: socket) }
        fail(waiting, with: failure)
    }

    // MARK: Watched users

    func rewatch() {
        for users in batches(of: state.withLock { Array($0.watched.keys) }) {
            send(.watch(users: users), for: .rewatch(users))
        }
    }

    /// As the gateway takes them.
    func batches(of users: [UserID]) -> UserBatches {
        UserBatches(users, maxBytes: MartletClient.frameBytes(state.withLock { $0.welcome?.limits }))
    }

    /// Tells of those who came or went while nobody could say so.
    func rewatched(_ users: [UserID], with result: Result<ServerEvent, Failure>) {
        switch result {
        case .success(.watching(_, let statuses)):
            let (socket, changed) = state.withLock { state in
                let changed = statuses.filter { status in
                    guard let told = state.watched[status.userId] else { return false }
                    state.watched[status.userId] = status.refusal == nil ? status.isOnline : nil
                    return status.refusal != nil || told != status.isOnline
                }
                return (state.link, changed)
            }
            guard let socket else { return }
            for status in changed { deliver(.status(Status(status)), from: socket) }
        case .failure(let failure) where failure.isPassing:
            onceMore(after: failure.retryAfter) { $0.send(.watch(users: users), for: .rewatch(users)) }
        case .success, .failure: break
        }
    }

    /// Tries again a little later, or when the gateway has said to, if the connection is still the same.
    func onceMore(after wait: Duration? = nil, _ act: @escaping @Sendable (MartletClient) -> Void) {
        guard let socket = state.withLock({ $0.link }) else { return }
        socket.eventLoop.scheduleTask(in: TimeAmount(wait ?? MartletClient.pauseAfterRefusal)) { [weak self] in
            guard let self, state.withLock({ $0.link === socket }) else { return }
            act(self)
        }
    }
}
