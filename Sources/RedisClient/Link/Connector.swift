import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import ServerTrust

/// The owner of the connections that a connector makes. All calls come on its loop.
protocol ConnectionOwner: AnyObject, Sendable {
    /// What to say first on the next connection.
    func greeting() -> Greeting
    /// The greeting is over: the connection is the owner's.
    func connected(_ identity: LinkIdentity)
    /// Returns why the connection must be given up, or nil.
    func received(_ reply: BorrowedReply) -> String?
    func readCompleted()
    /// The connection, or an attempt at one, failed.
    func disconnected(reason: String, _ failure: LinkFailure)
    func ticked(now: NIODeadline)
}

/// Keeps one connection up: dials, greets, hands it to its owner, and after a break does so again, for ever.
///
/// `@unchecked Sendable`: everything in it is touched on its event loop alone; each entry point asserts that.
final class Connector<Owner: ConnectionOwner>: @unchecked Sendable {
    private enum State {
        case idle
        /// Nobody knows yet where to dial.
        case waiting
        case pausing(Scheduled<Void>)
        case dialling(attempt: Int)
        case greeting(any Channel, ReplyHandler<Owner>, Greeting)
        case connected(any Channel, ReplyHandler<Owner>)
        case stopped
    }

    let eventLoop: any EventLoop
    private let configuration: RedisConfiguration
    private let address: ShardAddress
    private var owner: Owner?
    private var state = State.idle
    private var backoff: Backoff
    private var connectedAt = NIODeadline.distantPast
    private var attempts = 0
    /// Those since a connection last was the owner's.
    private var failedAttempts = 0
    /// Where the last attempt led.
    private(set) var dialled: RedisConfiguration.Endpoint?
    /// The id of the server there where that was of another Cluster.
    private var stranger: String?
    private var connectDeadline = NIODeadline.distantFuture
    private var ticks: RepeatedTask?
    private var tlsContext: NIOSSLContext?
    private(set) var lastRead = NIODeadline.distantPast

    /// How often deadlines are looked at: often enough for the shortest, seldom enough for a node at rest.
    private let tickInterval: TimeAmount
    /// A connection that stood this long has proven itself; one that breaks sooner may break for the same reason again.
    private static var provenAfter: TimeAmount { .seconds(1) }

    init(configuration: RedisConfiguration, address: ShardAddress, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.address = address
        self.eventLoop = eventLoop
        self.backoff = Backoff(limit: TimeAmount(configuration.reconnectCeiling))
        let shortest = min(
            configuration.connectTimeout, configuration.quickConnectTimeout ?? configuration.connectTimeout,
            configuration.commandTimeout, configuration.pingInterval, configuration.pingTimeout)
        tickInterval = TimeAmount(min(max(shortest / 4, .milliseconds(10)), .milliseconds(250)))
    }

    func start(owner: Owner) {
        eventLoop.assertInEventLoop()
        guard case .idle = state else { return }
        self.owner = owner
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: tickInterval, delay: tickInterval) { _ in
            self.tick()
        }
        dial()
    }

    /// Closes for good; the future is done when the connection is.
    func stop() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        let old = state
        state = .stopped
        owner = nil
        ticks?.cancel()
        ticks = nil
        switch old {
        case .greeting(let channel, _, _), .connected(let channel, _):
            channel.close(promise: nil)
            return channel.closeFuture
        case .pausing(let pause):
            pause.cancel()
        case .idle, .waiting, .dialling, .stopped:
            break
        }
        return eventLoop.makeSucceededVoidFuture()
    }

    /// Writes and flushes, if connected.
    func write(_ buffer: ByteBuffer) {
        guard case .connected(let channel, _) = state else { return }
        channel.writeAndFlush(buffer, promise: nil)
    }

    /// Gives the present connection up, tells the owner, and dials again.
    func giveUp(reason: String, _ failure: LinkFailure = .passing) {
        eventLoop.assertInEventLoop()
        switch state {
        case .connected(let channel, _):
            if eventLoop.now - connectedAt >= Self.provenAfter { backoff.reset() }
            pause()
            channel.close(promise: nil)
        case .greeting(let channel, _, _):
            pause()
            channel.close(promise: nil)
        case .dialling:
            pause()
        case .idle, .waiting, .pausing, .stopped:
            return
        }
        stranger = if case .stranger(let id) = failure { id } else { nil }
        owner?.disconnected(reason: reason, failure)
    }

    /// Dials at once where the server there was of another Cluster, and is not any more.
    func reconsider(_ admits: (String) -> Bool) {
        eventLoop.assertInEventLoop()
        guard let id = stranger, case .pausing(let pause) = state, admits(id) else { return }
        stranger = nil
        pause.cancel()
        backoff.reset()
        failedAttempts = 0
        dial()
    }

    /// Goes where the address leads now, if it is another: what leads elsewhere is given up, and no pause is waited for.
    func follow() {
        eventLoop.assertInEventLoop()
        guard let place = address.current, place != dialled else { return }
        giveUp(reason: "the primary is at another address")
        switch state {
        case .waiting: break
        case .pausing(let pause): pause.cancel()
        case .idle, .dialling, .greeting, .connected, .stopped: return
        }
        backoff.reset()
        failedAttempts = 0
        dial()
    }

    // MARK: What the handler tells

    /// Returns whether the handler should go on reading.
    func received(_ reply: BorrowedReply, by handler: ReplyHandler<Owner>) -> Bool {
        switch state {
        case .connected(_, let current) where current === handler:
            if let reason = owner?.received(reply) {
                giveUp(reason: reason)
                return false
            }
            return true
        case .greeting(let channel, let current, var greeting) where current === handler:
            let action = greeting.received(reply.copied())
            state = .greeting(channel, current, greeting)
            return perform(action, channel: channel, handler: handler)
        case .idle, .waiting, .pausing, .dialling, .greeting, .connected, .stopped:
            return false
        }
    }

    func readCompleted(_ handler: ReplyHandler<Owner>) {
        guard isCurrent(handler) else { return }
        lastRead = eventLoop.now
        if case .connected = state { owner?.readCompleted() }
    }

    func broken(_ handler: ReplyHandler<Owner>, reason: String) {
        guard isCurrent(handler) else { return }
        giveUp(reason: reason)
    }

    private func isCurrent(_ handler: ReplyHandler<Owner>) -> Bool {
        switch state {
        case .greeting(_, let current, _), .connected(_, let current): current === handler
        case .idle, .waiting, .pausing, .dialling, .stopped: false
        }
    }

    // MARK: Dialling

    private func tick() {
        let now = eventLoop.now
        switch state {
        case .dialling, .greeting:
            if connectDeadline <= now { giveUp(reason: "no answer within the connect timeout") }
        case .idle, .waiting, .pausing, .connected, .stopped:
            break
        }
        owner?.ticked(now: now)
    }

    private func pause() {
        let amount = backoff.next(fraction: .random(in: 0...1))
        state = .pausing(eventLoop.scheduleTask(in: amount) { self.dial() })
    }

    private func dial() {
        switch state {
        case .idle, .waiting, .pausing: break
        case .dialling, .greeting, .connected, .stopped: return
        }
        guard let place = address.current else {
            state = .waiting
            return
        }
        dialled = place
        attempts += 1
        let attempt = attempts
        state = .dialling(attempt: attempt)
        let quick = failedAttempts < 2 ? configuration.quickConnectTimeout : nil
        failedAttempts += 1
        connectDeadline = eventLoop.now + TimeAmount(quick ?? configuration.connectTimeout)
        do throws(RedisURLError) {
            if configuration.tls, tlsContext == nil { tlsContext = try configuration.tlsContext() }
        } catch {
            giveUp(reason: "TLS cannot be set up: \(error)", .refused)
            return
        }
        connect(to: place).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.opened(channel, attempt: attempt)
            case .failure(let error): self.failed(error, attempt: attempt)
            }
        }
    }

    private func connect(to place: RedisConfiguration.Endpoint) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 16_384, initial: 65_536, maximum: 262_144)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.prepare(channel, to: place) }
            }
        switch place {
        case .tcp(let host, let port): return bootstrap.connect(host: host, port: port)
        case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private func prepare(_ channel: any Channel, to place: RedisConfiguration.Endpoint) throws {
        guard let tlsContext, case .tcp(let host, _) = place else { return }
        try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler.speaking(to: configuration.serverName ?? host, context: tlsContext))
    }

    private func opened(_ channel: any Channel, attempt: Int) {
        guard case .dialling(attempt) = state, let owner else {
            channel.close(promise: nil)
            return
        }
        guard let reader = ReplyReader(maxReplyBytes: configuration.maxReplyBytes) else {
            channel.close(promise: nil)
            giveUp(reason: "out of memory")
            return
        }
        let handler = ReplyHandler(connector: self, reader: reader)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            giveUp(reason: "\(error)")
            return
        }
        var greeting = owner.greeting()
        let action = greeting.start()
        state = .greeting(channel, handler, greeting)
        _ = perform(action, channel: channel, handler: handler)
    }

    private func failed(_ error: any Error, attempt: Int) {
        guard case .dialling(attempt) = state else { return }
        giveUp(reason: Self.reason(error))
    }

    /// Why a server could not be dialled, without what the library says of its attempts.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return words(error) }
        guard !error.connectionErrors.isEmpty else { return "the name \(error.host) leads nowhere" }
        return error.connectionErrors.map { words($0.error) }.joined(separator: ", ")
    }

    /// The system's own words where it was the system that failed, and an operator's where it was TLS.
    static func words(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return TLSRefusal(error)?.description ?? "\(error)"
    }

    private func perform(_ action: Greeting.Action, channel: any Channel, handler: ReplyHandler<Owner>) -> Bool {
        switch action {
        case .send(let commands):
            var buffer = channel.allocator.buffer(capacity: 1024)
            for command in commands {
                CommandEncoder().write(command, isRetry: false, into: &buffer)
            }
            channel.writeAndFlush(buffer, promise: nil)
            return true
        case .wait:
            return true
        case .ready(let identity):
            state = .connected(channel, handler)
            failedAttempts = 0
            connectedAt = eventLoop.now
            lastRead = connectedAt
            owner?.connected(identity)
            return isCurrent(handler)
        case .fail(let reason, let failure):
            giveUp(reason: reason, failure)
            return false
        }
    }
}
