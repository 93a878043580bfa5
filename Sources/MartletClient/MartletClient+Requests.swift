import Dialects
import FoundationEssentials
import GatewayCore
import NIOCore

extension MartletClient {
    /// Joins a room, now and after each reconnect; answers where its live messages go on from.
    @discardableResult
    public func join(_ room: String) async throws(Failure) -> Position {
        guard case .joined(_, _, let position) = try await ask(.join(room: try name(room))) else { throw .disconnected }
        return Position(position)
    }

    /// Leaves a room, and does not join it again by itself.
    public func leave(_ room: String) async throws(Failure) {
        let name = try name(room)
        state.withLock { state in
            state.rooms.remove(name)
            state.roomsToRejoin.removeAll { $0 == name }
        }
        _ = try await ask(.leave(room: name))
    }

    /// Stores a message in a room that was joined and sends it to its members.
    ///
    /// - Parameters:
    ///   - payload: one JSON value; it reaches the members byte for byte.
    ///   - dedupe: 1 to 128 bytes; within two minutes a message under the same key is stored once.
    @discardableResult
    public func publish(
        _ payload: [UInt8], to room: String, msgType: Int = 1, dedupe: String? = nil
    ) async throws(Failure) -> Ack {
        guard payload.withUnsafeBytes(MartletClient.isJSON) else { throw .invalid("payload: must be one JSON value") }
        let command = ClientCommand.message(room: try name(room), msgType: msgType, payload: payload, dedupe: dedupe)
        guard case .ack(_, _, let published) = try await ask(command) else { throw .disconnected }
        return Ack(room: room, seq: published.position.seq, timestamp: published.timestamp)
    }

    /// Stores a value as JSON in a room that was joined and sends it to its members.
    @discardableResult
    public func publish(
        encoding value: some Encodable, to room: String, msgType: Int = 1, dedupe: String? = nil
    ) async throws(Failure) -> Ack {
        let payload: [UInt8]
        do {
            payload = Array(try JSONEncoder().encode(value))
        } catch {
            throw .invalid("payload: \(error)")
        }
        return try await publish(payload, to: room, msgType: msgType, dedupe: dedupe)
    }

    /// Reads part of a room's log, 1,000 messages at most.
    public func history(of room: String, _ edge: Edge = .newest, limit: Int = 50) async throws(Failure) -> Page {
        let range =
            switch edge {
            case .newest: HistoryRange(edge: .newest, limit: limit)
            case .before(let seq): HistoryRange(edge: .before(seq), limit: limit)
            case .after(let seq): HistoryRange(edge: .after(seq), limit: limit)
            }
        guard case .history(_, let page) = try await ask(.history(room: try name(room), range: range)) else {
            throw .disconnected
        }
        let messages = page.messages.map { Message($0, position: Position($0.position)) }
        return Page(room: room, epoch: page.head.epoch, messages: messages, more: page.more)
    }

    /// Shows a fresh token on the living connection; answers when it expires, in milliseconds since 1970, where it
    /// does.
    @discardableResult
    public func authenticate(_ token: String) async throws(Failure) -> Int64? {
        guard case .authenticated(_, let expires) = try await ask(.auth(token: token)) else { throw .disconnected }
        return expires
    }

    /// Asks the gateway for a sign of life; answers how long it took.
    @discardableResult
    public func ping() async throws(Failure) -> Duration {
        let start = ContinuousClock.now
        _ = try await ask(.ping)
        return start.duration(to: .now)
    }

    private func name(_ room: String) throws(Failure) -> RoomName {
        guard let name = RoomName(room) else { throw .invalid("room: not the name of a room") }
        return name
    }

    private static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(bytes)
        do throws(JSONError) {
            _ = try scanner.value()
            try scanner.end()
            return true
        } catch {
            return false
        }
    }

    // MARK: Asking

    func newID() -> Int {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private func ask(_ command: ClientCommand) async throws(Failure) -> ServerEvent {
        let id = newID()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                send(command, for: .caller(continuation), id: id)
                // A cancellation that came before the request was known has found nothing to end.
                if Task.isCancelled { settle(id, with: .failure(.cancelled)) }
            }
        } onCancel: {
            settle(id, with: .failure(.cancelled))
        }
        return try result.get()
    }

    func send(_ command: ClientCommand, for owner: ClientState.Pending.Owner, id: Int) {
        var frame: [UInt8] = []
        NativeDialect().encode(ClientRequest(id: RequestID(json: Array("\(id)".utf8)), command: command), into: &frame)
        let (accepted, resumes) = state.withLock { state -> (Result<WebSocketConnection, Failure>, Bool) in
            guard let link = state.link else {
                if case .stopped(let failure) = state.phase { return (.failure(failure), false) }
                return (.failure(state.isStopping ? .closed : .notConnected), false)
            }
            if case .caller = owner, state.pending.count >= configuration.maxPendingRequests {
                return (.failure(.tooManyPending), false)
            }
            state.pending[id] = ClientState.Pending(owner: owner)
            defer { state.isPaused = false }
            return (.success(link), state.isPaused)
        }
        switch accepted {
        case .failure(let failure): settle(owner, with: .failure(failure))
        case .success(let link):
            // The reply lies behind events that are not taken yet.
            if resumes { link.resumeReading() }
            link.send(text: frame)
            let timeout = link.eventLoop.scheduleTask(in: TimeAmount(configuration.requestTimeout)) { [weak self] in
                if let self { settle(id, with: .failure(.timedOut)) }
            }
            let isSettled = state.withLock { state in
                state.pending[id]?.timeout = timeout
                return state.pending[id] == nil
            }
            if isSettled { timeout.cancel() }
        }
    }

    func settle(_ id: RequestID?, with result: Result<ServerEvent, Failure>) {
        if let number = MartletClient.number(of: id) { settle(number, with: result) }
    }

    private func settle(_ id: Int, with result: Result<ServerEvent, Failure>) {
        guard let request = state.withLock({ $0.pending.removeValue(forKey: id) }) else { return }
        request.timeout?.cancel()
        settle(request.owner, with: result)
    }

    private func settle(_ owner: ClientState.Pending.Owner, with result: Result<ServerEvent, Failure>) {
        switch owner {
        case .caller(let continuation): continuation.resume(returning: result)
        case .rejoin(let room): rejoined(room, with: result)
        }
    }
}
