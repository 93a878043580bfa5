import Dialects
import GatewayCore
import NIOCore

/// What comes from the gateway; all on the socket's event loop, in order.
extension MartletClient {
    private static let rejoinsAtOnce = 32
    private static let rejoinPause = TimeAmount.seconds(1)
    /// How far reading goes on beyond the limit of events while requests wait.
    private static let patience = 4

    func receive(_ event: WebSocketEvent, from socket: WebSocketConnection) {
        switch event {
        case .text(let frame):
            switch frame.withUnsafeReadableBytes({ NativeDialect().decodeEvent($0) }) {
            case .success(let event): take(event, from: socket)
            // A later gateway may say what this client does not know yet.
            case .failure: break
            }
        case .binary, .ping, .pong: break
        case .ended(let end): finish(end)
        }
    }

    private func take(_ event: ServerEvent, from socket: WebSocketConnection) {
        switch event {
        case .message(let message):
            let position = state.withLock { $0.advance(to: message) }
            deliver(.message(Message(message, position: Position(position))), from: socket)
        case .welcome(let welcome): begin(welcome, on: socket)
        case .joined(let id, let room, let position):
            let owner = state.withLock { state -> ClientState.Pending.Owner? in
                guard let owner = MartletClient.number(of: id).flatMap({ state.pending[$0] })?.owner else { return nil }
                state.rooms.insert(room)
                state.positions[room] = position
                return owner
            }
            if case .rejoin = owner {
                deliver(.rejoined(room: room.string, position: Position(position)), from: socket)
            }
            settle(id, with: .success(event))
        case .left(let id, let room):
            state.withLock { state in
                state.rooms.remove(room)
                state.positions[room] = nil
            }
            settle(id, with: .success(event))
        case .authenticated(let id, _), .ack(let id, _, _), .history(let id, _), .pong(let id):
            settle(id, with: .success(event))
        case .gap(let room, let position):
            state.withLock { $0.positions[room] = position }
            deliver(.gap(room: room.string, position: Position(position)), from: socket)
        case .epoch(let room, let position):
            state.withLock { $0.positions[room] = position }
            deliver(.epoch(room: room.string, position: Position(position)), from: socket)
        case .reconnect(let milliseconds): leave(after: .milliseconds(max(0, milliseconds)), socket)
        case .error(nil, let error):
            deliver(.error(code: error.code.rawValue, message: error.message), from: socket)
        case .error(let id, let error):
            settle(id, with: .failure(.refused(code: error.code.rawValue, message: error.message)))
        }
    }

    private func begin(_ welcome: GatewayCore.Welcome, on socket: WebSocketConnection) {
        let told = Welcome(welcome)
        state.withLock { state in
            state.link = socket
            state.welcome = told
            state.welcomedAt = .now
            state.roomsToRejoin = Array(state.rooms)
            state.rejoinsUnderWay = 0
            for (room, position) in welcome.positions { state.positions[room] = position }
        }
        socket.watchSilence(heartbeat: .milliseconds(Int64(welcome.heartbeat)))
        deliver(.connected(told), from: socket)
        welcomed.resumeAll(.success(told))
        rejoin()
    }

    /// After the delay, or sooner if the gateway will not wait, the client is to be elsewhere.
    private func leave(after delay: Duration, _ socket: WebSocketConnection) {
        state.withLock { $0.returnsAt = .now + delay }
        deliver(.reconnect(after: delay), from: socket)
        socket.eventLoop.scheduleTask(in: TimeAmount(delay)) { socket.close() }
    }

    private func finish(_ end: WebSocketEnd) {
        let (wasWelcomed, pending) = state.withLock { state in
            let wasWelcomed = state.welcomedAt != nil
            state.ending =
                state.welcomedAt.map { .closed(code: end.code, reason: end.reason, after: $0.duration(to: .now)) }
                ?? .failed(code: end.code, reason: end.reason)
            state.link = nil
            state.welcome = nil
            state.welcomedAt = nil
            state.isPaused = false
            defer { state.pending.removeAll() }
            return (wasWelcomed, state.pending.values)
        }
        for request in pending {
            request.timeout?.cancel()
            if case .caller(let continuation) = request.owner {
                continuation.resume(returning: .failure(.disconnected))
            }
        }
        if wasWelcomed { _ = buffer.append(.disconnected(code: end.code, reason: end.reason)) }
    }

    // MARK: Events

    private func deliver(_ event: Event, from socket: WebSocketConnection) {
        let count = buffer.append(event)
        guard count >= configuration.eventLimit else { return }
        let (pauses, registers) = state.withLock { state in
            let isPatient = !state.pending.isEmpty && count < configuration.eventLimit * MartletClient.patience
            guard !isPatient, !state.isPaused else { return (false, false) }
            state.isPaused = true
            defer { state.awaitsRoom = true }
            return (true, !state.awaitsRoom)
        }
        if pauses { socket.pauseReading() }
        if registers { buffer.onceThereIsRoom { [weak self] in self?.goOnReading() } }
    }

    private func goOnReading() {
        let socket = state.withLock { state in
            state.awaitsRoom = false
            state.isPaused = false
            return state.link
        }
        socket?.resumeReading()
    }

    // MARK: Rejoining

    /// Joins rooms again, some at a time, since a gateway limits how much a client may ask at once.
    func rejoin() {
        while true {
            let room = state.withLock { state -> RoomName? in
                guard state.link != nil, state.rejoinsUnderWay < MartletClient.rejoinsAtOnce,
                    let room = state.roomsToRejoin.popLast()
                else { return nil }
                state.rejoinsUnderWay += 1
                return room
            }
            guard let room else { return }
            send(.join(room: room), for: .rejoin(room), id: newID())
        }
    }

    func rejoined(_ room: RoomName, with result: Result<ServerEvent, Failure>) {
        state.withLock { $0.rejoinsUnderWay -= 1 }
        guard case .failure(let failure) = result else { return rejoin() }
        switch failure {
        case .refused("rate_limited", _), .refused("unavailable", _), .timedOut:
            let socket = state.withLock { state in
                state.roomsToRejoin.append(room)
                return state.link
            }
            socket?.eventLoop.scheduleTask(in: MartletClient.rejoinPause) { [weak self] in self?.rejoin() }
        // The next connection begins anew.
        case .disconnected, .notConnected, .closed, .cancelled: break
        case .refused, .tooManyPending, .invalid, .stopped:
            let socket = state.withLock { state in
                state.rooms.remove(room)
                state.positions[room] = nil
                return state.link
            }
            if let socket { deliver(.rejoinFailed(room: room.string, failure: failure), from: socket) }
            rejoin()
        }
    }

    /// The number behind a mark that this client gave; nil for any other.
    static func number(of id: RequestID?) -> Int? {
        id.flatMap { Int(String(decoding: $0.json, as: UTF8.self)) }
    }
}
