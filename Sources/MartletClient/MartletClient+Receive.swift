import Dialects
import GatewayCore
import NIOCore

/// What comes from the gateway; all on the socket's event loop, in order.
extension MartletClient {
    /// How far reading goes on beyond the limit of events while requests wait.
    private static let patience = 4
    /// A day in milliseconds: what a gateway says beyond that is taken for that.
    private static let longestWait = 86_400_000

    func receive(_ event: WebSocketEvent, from socket: WebSocketConnection) {
        switch event {
        case .text(let frame):
            switch frame.withUnsafeReadableBytes({ NativeDialect().decodeEvent($0) }) {
            case .success(let event): receive(event, from: socket)
            // A later gateway may say what this client does not know yet.
            case .failure: break
            }
        case .binary, .ping, .pong: break
        case .ended(let end): finish(end)
        }
    }

    private func receive(_ event: ServerEvent, from socket: WebSocketConnection) {
        switch event {
        case .message(let message): receive(message, from: socket)
        case .seen(let room, let seq): state.withLock { $0.streams.seen(room, upTo: seq) }
        case .welcome(let welcome): begin(welcome, on: socket)
        case .joined(let id, let joined): receive(joined, id: id, event, from: socket)
        case .left(nil, let room):
            giveUp(room, for: .refused(code: "forbidden", message: "no longer allowed"))
        case .left(let id, let room):
            state.withLock { state in
                state.streams.left(room)
                // Somebody holds it again by now.
                if state.wants(room) { state.roomsToRejoin.append(room) }
            }
            resolve(id, with: .success(event))
            rejoin()
        case .resumed(let id, _), .authenticated(let id, _), .ack(let id, _, _), .acknowledged(let id),
            .ordered(let id, _, _), .history(let id, _), .members(let id, _, _), .turn(let id, _), .pong(let id):
            resolve(id, with: .success(event))
        case .watching(let id, let users):
            record(users, for: id)
            resolve(id, with: .success(event))
        case .presence(let change): deliver(.presence(Presence(change)), from: socket)
        // Natively nobody is told of it.
        case .counted: break
        case .room(let change):
            deliver(.room(RoomChange(change)), from: socket)
            switch change.event {
            case .closed: giveUp(change.room, for: .refused(code: "closed", message: "the room was closed"))
            case .removed:
                giveUp(change.room, for: .refused(code: "removed", message: change.reason ?? "removed from the room"))
            case .updated, .restored, .role, .host, .muted, .unmuted: break
            }
        case .redacted(let room, let position):
            deliver(.redacted(room: room.string, position: Position(position)), from: socket)
        case .status(let change): receive(change, from: socket)
        case .signal(let signal): deliver(.signal(Signal(signal)), from: socket)
        case .gap(let room, let position):
            guard state.withLock({ $0.streams.gap(in: room, at: position) }) else { break }
            deliver(.gap(room: room.string, position: Position(position)), from: socket)
        case .epoch(let room, let position):
            guard state.withLock({ $0.streams.epoch(of: room, at: position) }) else { break }
            deliver(.epoch(room: room.string, position: Position(position)), from: socket)
        case .reconnect(let milliseconds):
            leave(after: .milliseconds(min(max(milliseconds, 0), MartletClient.longestWait)), socket)
        case .error(nil, let error):
            deliver(.error(code: error.code.rawValue, message: error.message), from: socket)
        case .error(let id, let error):
            let wait = error.retryAfterMilliseconds.map {
                Duration.milliseconds(min(max($0, 0), MartletClient.longestWait))
            }
            if error.code == .rateLimited, repeats(id, after: wait) { break }
            resolve(
                id,
                with: .failure(.refused(code: error.code.rawValue, message: error.message, retryAfter: wait)))
        }
    }

    private func receive(_ message: RoomMessage, from socket: WebSocketConnection) {
        switch state.withLock({ $0.streams.received(message) }) {
        case .drop: break
        case .pass(let position), .passUnstored(let position):
            deliver(.message(Message(message, position: Position(position))), from: socket)
        case .passAfterGap(let position, let gap):
            deliver(.gap(room: message.room.string, position: Position(gap)), from: socket)
            deliver(.message(Message(message, position: Position(position))), from: socket)
        }
    }

    private func receive(
        _ joined: GatewayCore.Joined, id: RequestID?, _ event: ServerEvent, from socket: WebSocketConnection
    ) {
        // Where nobody waits for it any more, it has failed for whoever asked.
        guard let number = MartletClient.number(of: id) else {
            return deliver(.invited(room: joined.room.string), from: socket)
        }
        let told = state.withLock { state -> (isRejoined: Bool, isWhole: Bool)? in
            guard let request = state.pending[number] else { return nil }
            guard case .rejoin = request.owner else {
                let isWhole = state.streams.joined(joined, since: request.since)
                sendWaiting(for: joined.room, &state)
                return (false, isWhole)
            }
            // Nobody holds it any more.
            guard state.wants(joined.room) else { return nil }
            if state.wishes[joined.room.string]?.since == request.since {
                state.wishes[joined.room.string]?.since = nil
            }
            let isWhole = state.streams.joined(joined, since: request.since)
            sendWaiting(for: joined.room, &state)
            return (true, isWhole)
        }
        guard let told else {
            if state.withLock({ $0.pending[number] != nil }) {
                send(.leave(room: joined.room), for: .nobody)
                resolve(number, with: .success(event))
            }
            return
        }
        guard state.withLock({ $0.streams.isLive(joined.room) }) else {
            state.withLock { $0.roomsToRejoin.append(joined.room) }
            resolve(number, with: .success(event))
            return rejoin()
        }
        isThere(joined.room)
        if let state = joined.settings { deliver(.room(RoomChange(joined, state)), from: socket) }
        if told.isRejoined { tellRejoined(joined.room, at: joined.position, from: socket) }
        if !told.isWhole {
            deliver(.gap(room: joined.room.string, position: Position(joined.position)), from: socket)
        }
        resolve(number, with: .success(event))
    }

    private func receive(_ change: StatusChange, from socket: WebSocketConnection) {
        state.withLock { state in
            if state.watched[change.userId] != nil { state.watched[change.userId] = change.isOnline }
        }
        deliver(.status(Status(change)), from: socket)
    }

    /// Keeps what a `watch` of the user's has been told, before any change of it can come.
    private func record(_ users: [UserStatus], for id: RequestID?) {
        state.withLock { state in
            guard let number = MartletClient.number(of: id), case .caller? = state.pending[number]?.owner,
                state.pending[number]?.watches == true
            else { return }
            for status in users where status.refusal == nil { state.watched[status.userId] = status.isOnline }
        }
    }

    private func begin(_ welcome: GatewayCore.Welcome, on socket: WebSocketConnection) {
        let told = Welcome(welcome)
        let catchUp = state.withLock { state in
            state.link = socket
            state.welcome = told
            state.welcomedAt = .now
            state.pace = Pace(limits: told.limits, now: .now)
            state.session = welcome.session.isEmpty ? nil : welcome.session
            let catchUp = state.streams.welcomed(
                resumed: welcome.resumed, positions: welcome.positions,
                maxBytes: MartletClient.frameBytes(told.limits))
            state.roomsToRejoin = catchUp.joins
            state.rejoinsUnderWay = 0
            state.reviveWishes()
            return catchUp
        }
        let heartbeat = min(max(welcome.heartbeat, 1), MartletClient.longestWait)
        socket.watchSilence(heartbeat: .milliseconds(Int64(heartbeat)))
        deliver(.connected(told), from: socket)
        welcomed.resumeAll(.success(told))
        // Of those that every connection is in by itself.
        roomsMoved.resumeAll(())
        if let positions = catchUp.resume { send(.resume(since: positions), for: .resume(positions)) }
        rejoin()
        rewatch()
        wake.resumeAll(())
    }

    /// After the delay, or sooner if the gateway will not wait, the client is to be elsewhere.
    private func leave(after delay: Duration, _ socket: WebSocketConnection) {
        state.withLock { $0.returnsAt = .now + delay }
        deliver(.reconnect(after: delay), from: socket)
        // A close counts as abrupt from now on, so the session goes on on the next connection.
        socket.eventLoop.scheduleTask(in: TimeAmount(delay)) { socket.close() }
    }

    private func finish(_ end: WebSocketEnd) {
        let (wasWelcomed, lost) = state.withLock { state in
            let wasWelcomed = state.welcomedAt != nil
            state.ending =
                state.welcomedAt.map { .closed(code: end.code, reason: end.reason, after: $0.duration(to: .now)) }
                ?? .failed(code: end.code, reason: end.reason)
            return (wasWelcomed, state.disconnect())
        }
        for request in lost {
            request.timeout?.cancel()
            resolve(request.owner, with: .failure(.disconnected))
        }
        if wasWelcomed { _ = readers.append(.disconnected(code: end.code, reason: end.reason)) }
    }

    // MARK: Events

    func deliver(_ event: Event, from socket: WebSocketConnection) {
        tellRoom(event)
        let count = readers.append(event)
        guard count >= configuration.eventLimit else { return }
        let (pauses, registers) = state.withLock { state in
            let isPatient = !state.pending.isEmpty && count < configuration.eventLimit * MartletClient.patience
            guard !isPatient, !state.isPaused else { return (false, false) }
            state.isPaused = true
            defer { state.awaitsRoom = true }
            return (true, !state.awaitsRoom)
        }
        if pauses { socket.pauseReading() }
        if registers { readers.onceThereIsRoom { [weak self] in self?.goOnReading() } }
    }

    /// Those who were behind have caught up, or read no longer.
    func goOnReading() {
        let socket = state.withLock { state in
            state.awaitsRoom = false
            state.isPaused = false
            return state.link
        }
        socket?.resumeReading()
        wake.resumeAll(())
    }

    /// The number in an id that this client gave; nil for any other.
    static func number(of id: RequestID?) -> Int? {
        id.flatMap { Int(String(decoding: $0.json, as: UTF8.self)) }
    }
}
