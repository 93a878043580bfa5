import Dialects
import GatewayCore
import NIOCore

/// Requests on their way, and their replies.
extension MartletClient {
    func newID() -> Int {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    /// Asks on the present connection; the answer is lost with it.
    ///
    /// - Parameter room: of a room's members only this may be asked: where its join is under way, it is waited for.
    func ask(_ command: ClientCommand, in room: RoomName? = nil) async throws(Failure) -> ServerEvent {
        let id = newID()
        return try await waiting(for: id) { self.send(command, for: .caller($0), id: id, in: room) }
    }

    /// Sends a message as soon as its room is there, and again on the next connection where the answer is lost.
    func send(_ command: ClientCommand, to room: RoomName, id: Int) async throws(Failure) -> ServerEvent {
        let frame = MartletClient.frame(of: command, id: id)
        return try await waiting(for: id) { continuation in
            let draft = ClientState.Draft(room: room, frame: frame)
            let refusal = state.withLock { state -> Failure? in
                if let end = state.end { return end }
                if state.isStopping { return .closed }
                guard case .running = state.phase, state.link != nil || state.wants(room) else {
                    return .notConnected
                }
                if let limit = state.welcome?.limits?.messageBytes, frame.count > limit {
                    return .invalid("payload: a frame of \(frame.count) bytes, where the gateway takes \(limit)")
                }
                guard state.pending.count < configuration.maxPendingRequests,
                    state.draftBytes + frame.count <= configuration.maxPendingBytes
                else { return .tooManyPending }
                state.draftBytes += frame.count
                state.keepForLater(id, draft, continuation)
                sendDrafts(&state)
                return nil
            }
            if let refusal { return continuation.resume(returning: .failure(refusal)) }
            setTimeout(min(configuration.publishTimeout, MartletClient.maxPublishTime), of: id, on: group.next())
        }
    }

    /// A gateway remembers a dedupe key for two minutes: a message that goes again later might be stored twice.
    private static let maxPublishTime = Duration.seconds(100)

    /// Sends the messages that may go, and again when more of them may.
    func sendDrafts(_ state: inout ClientState) {
        guard let link = state.link else { return }
        let wait = state.sendDrafts(now: .now)
        expectAnswers(link, &state)
        goOnReading(link, &state)
        guard let wait, !state.isPacing else { return }
        state.isPacing = true
        link.eventLoop.scheduleTask(in: TimeAmount(wait)) { [weak self] in
            guard let self else { return }
            self.state.withLock { state in
                state.isPacing = false
                self.sendDrafts(&state)
            }
        }
    }

    /// The gateway found a message to be one too many: it goes again after this time. Answers false for other requests.
    func repeats(_ id: RequestID?, after wait: Duration?) -> Bool {
        state.withLock { state in
            guard let number = MartletClient.number(of: id),
                case .publisher(let continuation, let draft)? = state.pending[number]?.owner
            else { return false }
            state.pace.rest(for: wait ?? MartletClient.pauseAfterRefusal, now: .now)
            state.keepForLater(number, draft, continuation)
            sendDrafts(&state)
            return true
        }
    }

    /// Sends all that waits for a room.
    func sendWaiting(for room: RoomName, _ state: inout ClientState) {
        state.sendDeferred(for: room)
        sendDrafts(&state)
    }

    private func waiting(
        for id: Int, _ begin: (CheckedContinuation<Result<ServerEvent, Failure>, Never>) -> Void
    ) async throws(Failure) -> ServerEvent {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(continuation)
                // A cancellation that came before the request was known has found nothing to end.
                if Task.isCancelled { resolve(id, with: .failure(.cancelled)) }
            }
        } onCancel: {
            resolve(id, with: .failure(.cancelled))
        }
        return try result.get()
    }

    func send(_ command: ClientCommand, for owner: ClientState.Pending.Owner) {
        send(command, for: owner, id: newID())
    }

    private func send(
        _ command: ClientCommand, for owner: ClientState.Pending.Owner, id: Int, in room: RoomName? = nil
    ) {
        let frame = MartletClient.frame(of: command, id: id)
        let accepted = state.withLock { state -> Result<WebSocketConnection, Failure> in
            guard let link = state.link else {
                if let end = state.end { return .failure(end) }
                return .failure(state.isStopping ? .closed : .notConnected)
            }
            if case .caller = owner, state.pending.count >= configuration.maxPendingRequests {
                return .failure(.tooManyPending)
            }
            var request = ClientState.Pending(owner: owner)
            switch command {
            case .join(let room, let since): (request.joins, request.since) = (room, since)
            case .watch: request.watches = true
            default: break
            }
            if let room, state.isOnItsWay(room) {
                request.deferred = (room, frame)
            } else {
                link.enqueue(text: frame)
            }
            state.pending[id] = request
            expectAnswers(link, &state)
            goOnReading(link, &state)
            return .success(link)
        }
        switch accepted {
        case .failure(let failure): resolve(owner, with: .failure(failure))
        case .success(let link): setTimeout(configuration.requestTimeout, of: id, on: link.eventLoop)
        }
    }

    /// An answer that is owed for this long has the connection asked whether it lives.
    private static let answerLimit = TimeAmount.seconds(5)

    private func expectAnswers(_ link: WebSocketConnection, _ state: inout ClientState) {
        guard !state.expectsAnswers, state.pending.values.contains(where: \.isSent) else { return }
        state.expectsAnswers = true
        let latest = state.nextID
        link.eventLoop.scheduleTask(in: MartletClient.answerLimit) { [weak self] in
            guard let self else { return }
            let isOwed = self.state.withLock { state in
                guard state.link === link else { return false }
                state.expectsAnswers = false
                self.expectAnswers(link, &state)
                return state.pending.contains { $0.key <= latest && $0.value.isSent }
            }
            if isOwed { link.doubt() }
        }
    }

    /// The reply lies behind events that are not taken yet.
    private func goOnReading(_ link: WebSocketConnection, _ state: inout ClientState) {
        guard state.isPaused else { return }
        state.isPaused = false
        link.eventLoop.execute { link.resumeReading() }
    }

    private func setTimeout(_ time: Duration, of id: Int, on loop: any EventLoop) {
        let timeout = loop.scheduleTask(in: TimeAmount(time)) { [weak self] in
            if let self { resolve(id, with: .failure(.timedOut)) }
        }
        let isAnswered = state.withLock { state in
            state.pending[id]?.timeout = timeout
            return state.pending[id] == nil
        }
        if isAnswered { timeout.cancel() }
    }

    private static func frame(of command: ClientCommand, id: Int) -> [UInt8] {
        var frame: [UInt8] = []
        NativeDialect().encode(ClientRequest(id: RequestID(json: Array("\(id)".utf8)), command: command), into: &frame)
        return frame
    }

    // MARK: Replies

    func resolve(_ id: RequestID?, with result: Result<ServerEvent, Failure>) {
        if let number = MartletClient.number(of: id) { resolve(number, with: result) }
    }

    func resolve(_ id: Int, with result: Result<ServerEvent, Failure>) {
        let (request, waiting) = state.withLock { state -> (ClientState.Pending?, [ClientState.Pending]) in
            let request = state.remove(id)
            // Nobody else is about to join the room: what waited for it has failed with the join.
            guard case .failure = result, case .caller? = request?.owner, let room = request?.joins,
                !state.streams.isLive(room), !state.isOnItsWay(room)
            else { return (request, []) }
            return (request, state.removeDeferred(for: room))
        }
        guard let request else { return }
        request.timeout?.cancel()
        resolve(request.owner, with: result)
        if case .failure(let failure) = result { fail(waiting, with: failure) }
    }

    /// Tells those who made these requests, which were taken out of the state already.
    func fail(_ requests: [ClientState.Pending], with failure: Failure) {
        for request in requests {
            request.timeout?.cancel()
            resolve(request.owner, with: .failure(failure))
        }
    }

    func resolve(_ owner: ClientState.Pending.Owner, with result: Result<ServerEvent, Failure>) {
        switch owner {
        case .caller(let continuation), .publisher(let continuation, _): continuation.resume(returning: result)
        case .rejoin(let room): rejoined(room, with: result)
        case .resume(let positions): resumed(positions, with: result)
        case .roster(let room, let round): read(room, round: round, with: result)
        case .rewatch(let users): rewatched(users, with: result)
        case .nobody: break
        }
    }
}
