import GatewayCore
import NIOCore

/// What a new connection is asked for, so that all goes on as before; all on the socket's event loop.
extension MartletClient {
    private static let rejoinsAtOnce = 32
    private static let pauseAfterRefusal = TimeAmount.seconds(1)
    /// As many as one frame may name.
    private static let maxWatched = 1000

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
                tellRejoined(room, at: position, from: socket)
                state.withLock { $0.sendDrafts(of: room) }
            case .lost(let room, let position):
                tellRejoined(room, at: position, from: socket)
                deliver(.gap(room: room.string, position: Position(position)), from: socket)
                state.withLock { $0.sendDrafts(of: room) }
            case .refused(let room, let code):
                giveUp(room, for: .refused(code: code.rawValue, message: "the room was not resumed"))
            case .join(let room): state.withLock { $0.roomsToRejoin.append(room) }
            case .leave(let room): send(.leave(room: room), for: .nobody)
            }
        }
        rejoin()
    }

    /// Joins rooms again, some at a time, since a gateway limits how much a client may ask at once.
    func rejoin() {
        while true {
            let next = state.withLock { state -> (room: RoomName, since: ClientPosition)? in
                guard state.link != nil, state.rejoinsUnderWay < MartletClient.rejoinsAtOnce else { return nil }
                while let room = state.roomsToRejoin.popLast() {
                    guard let position = state.streams.position(of: room), !state.streams.isLive(room) else { continue }
                    state.rejoinsUnderWay += 1
                    return (room, ClientPosition(position))
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
        case .refused("rate_limited", _), .refused("unavailable", _), .timedOut:
            state.withLock { $0.roomsToRejoin.append(room) }
            onceMore { $0.rejoin() }
        // The next connection begins anew.
        case .disconnected, .notConnected, .closed, .cancelled: break
        case .refused, .tooManyPending, .invalid, .stopped:
            giveUp(room, for: failure)
            rejoin()
        }
    }

    /// The inbox and `*` cannot be joined again by their user: they need not be told of.
    func tellRejoined(_ room: RoomName, at position: GatewayCore.Position, from socket: WebSocketConnection) {
        guard !room.isInbox, !room.isEveryone else { return }
        deliver(.rejoined(room: room.string, position: Position(position)), from: socket)
    }

    private func giveUp(_ room: RoomName, for failure: Failure) {
        let (socket, drafts) = state.withLock { state in
            state.streams.left(room)
            return (state.link, state.removeDrafts(of: room))
        }
        if let socket { deliver(.rejoinFailed(room: room.string, failure: failure), from: socket) }
        for draft in drafts {
            draft.timeout?.cancel()
            settle(draft.owner, with: .failure(failure))
        }
    }

    // MARK: Watched users

    func rewatch() {
        let users = state.withLock { Array($0.watched.keys) }
        for start in stride(from: 0, to: users.count, by: MartletClient.maxWatched) {
            let some = Array(users[start..<min(start + MartletClient.maxWatched, users.count)])
            send(.watch(users: some), for: .rewatch(some))
        }
    }

    /// Tells of those who came or went while nobody could say so.
    func rewatched(_ users: [UserID], with result: Result<ServerEvent, Failure>) {
        switch result {
        case .success(.watching(_, let statuses)):
            let (socket, changed) = state.withLock { state in
                let changed = statuses.filter { status in
                    guard let told = state.watched[status.userId] else { return false }
                    state.watched[status.userId] = status.isOnline
                    return told != status.isOnline
                }
                return (state.link, changed)
            }
            guard let socket else { return }
            for status in changed { deliver(.status(Status(status)), from: socket) }
        case .failure(.refused("rate_limited", _)), .failure(.refused("unavailable", _)), .failure(.timedOut):
            onceMore { $0.send(.watch(users: users), for: .rewatch(users)) }
        case .success, .failure: break
        }
    }

    /// Tries again a little later, if the connection is still the same.
    private func onceMore(_ act: @escaping @Sendable (MartletClient) -> Void) {
        guard let socket = state.withLock({ $0.link }) else { return }
        socket.eventLoop.scheduleTask(in: MartletClient.pauseAfterRefusal) { [weak self] in
            guard let self, state.withLock({ $0.link === socket }) else { return }
            act(self)
        }
    }
}
