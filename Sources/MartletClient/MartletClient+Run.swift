import Dialects
import NIOCore

extension MartletClient {
    /// Runs the client until `close()`, or until its task is cancelled; `connect()` does this by itself. One that has
    /// ended may run again.
    ///
    /// - Throws: `stopped` where the gateway or the token's provider wants no more of it.
    public func run() async throws(Failure) {
        guard state.withLock({ $0.claim() }) else { throw .invalid("the client runs already") }
        try await runClaimed()
    }

    func runClaimed() async throws(Failure) {
        #if canImport(Network)
            let watch = configuration.followsNetwork ? NetworkWatch { [weak self] in self?.reconnect() } : nil
            defer { withExtendedLifetime(watch) {} }
        #endif
        let failure = await withTaskCancellationHandler {
            await keepConnected()
        } onCancel: {
            stop()
        }
        let end = failure ?? .closed
        let lost = state.withLock { state in
            state.phase = .ending(end)
            return Array(state.pending.keys).compactMap { state.remove($0) }
        }
        for request in lost {
            request.timeout?.cancel()
            resolve(request.owner, with: .failure(end))
        }
        finishReaders()
        welcomed.resumeAll(.failure(end))
        state.withLock { $0.phase = .stopped(end) }
        stopped.resumeAll(())
        if let failure { throw failure }
    }

    /// Answers nil where it was told to end.
    private func keepConnected() async -> Failure? {
        var random = SystemRandomNumberGenerator()
        var reconnection = Reconnection(
            backoff: Backoff(first: configuration.firstDelay, cap: configuration.maxDelay),
            hasTokens: configuration.credentials.areTokens)
        var attempt = 0
        while await hasRoom() {
            let endpoint = endpoints[attempt % endpoints.count]
            attempt += 1
            let ending: Reconnection.Ending
            do {
                guard let configuration = try await socketConfiguration(endpoint) else {
                    return .stopped(code: 4401, reason: "no token is to be had")
                }
                if isStopping { return nil }
                ending = await connectOnce(configuration)
            } catch {
                _ = readers.append(.error(code: "unavailable", message: "no token: \(error)"))
                ending = .failed(code: nil, reason: "no token: \(error)")
            }
            let asked = state.withLock { state in
                defer { state.returnsAt = nil }
                return state.returnsAt.map { ContinuousClock.now.duration(to: $0) }
            }
            switch reconnection.step(after: ending, asked: asked, using: &random) {
            case .retry(let delay): await pause(for: delay)
            case .stop(let code, let reason): return isStopping ? nil : .stopped(code: code, reason: reason)
            }
        }
        return nil
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } || Task.isCancelled }

    private var isHurried: Bool { state.withLock { $0.isHurried } }

    /// Waits until a slow consumer has caught up; false where the client has to end.
    private func hasRoom() async -> Bool {
        readers.onceThereIsRoom { [wake] in wake.resumeAll(()) }
        await wake.wait(until: { isStopping || readers.hasRoom })
        return !isStopping
    }

    private func pause(for delay: Duration) async {
        let end = ContinuousClock.now + delay
        let alarm = group.next().scheduleTask(in: TimeAmount(delay)) { [wake] in wake.resumeAll(()) }
        await wake.wait(until: { isStopping || isHurried || ContinuousClock.now >= end })
        alarm.cancel()
    }

    /// Nil where there is no token to come with.
    private func socketConfiguration(_ endpoint: Endpoint) async throws -> WebSocketConfiguration? {
        var endpoint = endpoint
        var headers = configuration.headers
        switch configuration.credentials {
        case .user(let user): endpoint.add("userId", user)
        case .guest: break
        case .token(let provide):
            guard let token = try await provide(), !token.isEmpty else { return nil }
            state.withLock { $0.token = token }
            // In a header, not in the query, since servers on the way write queries down.
            headers.append((name: "Authorization", value: "Bearer " + token))
        }
        if let session = state.withLock({ $0.session }) { endpoint.add("session", session) }
        var socket = WebSocketConfiguration(host: endpoint.host, port: endpoint.port, path: endpoint.path)
        socket.headers = headers
        socket.subprotocols = [NativeDialect.subprotocol]
        socket.tls = endpoint.isSecure ? configuration.tls : nil
        socket.connectTimeout = TimeAmount(configuration.connectTimeout)
        return socket
    }

    /// One connection from its handshake to its end.
    private func connectOnce(_ configuration: WebSocketConfiguration) async -> Reconnection.Ending {
        state.withLock { $0.isHurried = false }
        let socket: WebSocketConnection
        do throws(WebSocketConnectError) {
            socket = try await WebSocketConnection.connect(configuration, on: group) { self.receive($1, from: $0) }
        } catch {
            switch error {
            case .refused(let status, let retryAfter):
                return .refused(status: status, retryAfter: retryAfter.map { .seconds($0) })
            case .unreachable(let reason), .badHandshake(let reason): return .failed(code: nil, reason: reason)
            case .timedOut: return .failed(code: nil, reason: "timed out")
            }
        }
        state.withLock { $0.socket = socket }
        if isStopping { socket.close() }
        let deadline = socket.eventLoop.scheduleTask(in: configuration.connectTimeout) { [self] in
            if state.withLock({ $0.link == nil }) { socket.drop() }
        }
        let end = await withTaskGroup { group in
            group.addTask { await self.keepTokenFresh() }
            let end = await socket.ended()
            group.cancelAll()
            return end
        }
        deadline.cancel()
        return state.withLock { state in
            defer { state.ending = nil }
            state.socket = nil
            return state.ending ?? .failed(code: end.code, reason: end.reason)
        }
    }
}

extension MartletClient.Credentials {
    fileprivate var areTokens: Bool {
        switch self {
        case .user, .guest: false
        case .token: true
        }
    }
}
