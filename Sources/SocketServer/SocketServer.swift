import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The client port: accepts WebSockets and serves their sessions, one hub for each event loop.
package final class SocketServer: Service {
    private let configuration: SocketServerConfiguration
    private let hubs: [Hub]
    private let group: any EventLoopGroup
    private let logger: Logger
    private let binding = Mutex(Binding.waiting([]))
    private let hasStarted = Atomic<Bool>(false)

    /// What is open at this moment.
    package let census: Census
    /// What of the descriptors is for whom, as it was at the start.
    package let shares: DescriptorShares

    private enum Binding {
        case waiting([CheckedContinuation<Int, any Error>])
        case bound(Int)
        case failed(any Error)
    }

    /// - Parameters:
    ///   - group: whose loops serve the connections; each gets a hub. It outlives the server.
    ///   - streams, log: where rooms come from and messages go to.
    ///   - presence: told of all connections, and of their end before the server's.
    ///   - governor: decides what clients order in governed rooms.
    ///   - tally: told who spends what; nil where nobody wants to know.
    package init(
        configuration: SocketServerConfiguration, group: any EventLoopGroup, streams: any RoomStreams,
        log: any MessageLog, presence: any Presence, presenceDirectory: any PresenceDirectory,
        governor: any RoomGovernor,
        metrics: any MetricsFactory, logger: Logger, clocks: Clocks = .system,
        tally: (any SpendingTally)? = nil, memory: MemoryAccount = MemoryAccount(budget: .max)
    ) {
        self.configuration = configuration
        self.group = group
        self.logger = logger
        let dependencies = HubDependencies(
            configuration: configuration, streams: streams, log: log, presence: presence,
            presenceDirectory: presenceDirectory, governor: governor, metrics: metrics, logger: logger, clocks: clocks,
            tally: tally, memory: memory)
        census = dependencies.census
        shares = dependencies.shares
        hubs = group.makeIterator().map { Hub(eventLoop: $0, dependencies: dependencies) }
    }

    /// What the port holds at this moment; any thread.
    package var status: SocketServerStatus { census.status }

    /// Whether each loop has come round within so long; true before the server runs and after. Any thread.
    package func isTurning(within patience: Duration) -> Bool {
        hubs.allSatisfy { $0.isTurning(within: patience) }
    }

    /// Other limits and rules for all that is open and all that comes. What the port is bound to, budgets, buffers and how a
    /// shutdown goes stay as they were.
    package func reconfigure(_ configuration: SocketServerConfiguration) {
        census.limit(
            maxConnections: connectionLimit(configuration), maxPerAddress: configuration.maxConnectionsPerAddress,
            acceptRate: configuration.acceptRate)
        let (settings, rules) = (configuration.sessionSettings, HandshakeRules(configuration))
        for hub in hubs { hub.eventLoop.execute { hub.reconfigure(configuration, settings, rules) } }
    }

    /// How many connections there may be; what they were to be and cannot is said in the log.
    @discardableResult
    private func connectionLimit(_ configuration: SocketServerConfiguration) -> Int {
        let limit = shares.clients(wanted: configuration.maxConnections)
        let wanted = configuration.maxConnections > 0 ? configuration.maxConnections : shares.mostClients
        if wanted > limit {
            logger.warning(
                "client.maxConnections is more than the descriptors leave, and is cut",
                metadata: [
                    "client.maxConnections": "\(wanted)", "holds": "\(limit)",
                    "descriptors": "\(shares.limit)",
                ])
        }
        return limit
    }

    /// The port listened on, once it is; throws where it could not be had.
    package var boundPort: Int {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let known: Result<Int, any Error>? = binding.withLock { binding in
                    switch binding {
                    case .waiting(let continuations):
                        binding = .waiting(continuations + [continuation])
                        return nil
                    case .bound(let port): return .success(port)
                    case .failed(let error): return .failure(error)
                    }
                }
                if let known { continuation.resume(with: known) }
            }
        }
    }

    /// Serves until the shutdown, then sends the clients elsewhere; once only.
    package func run() async throws {
        precondition(!hasStarted.exchange(true, ordering: .relaxed), "a socket server runs once")
        connectionLimit(configuration)
        for hub in hubs { try await hub.eventLoop.submit { hub.start() }.get() }
        let listener: any Channel
        do {
            listener = try await listen()
        } catch {
            resolveBinding(.failure(error))
            try await stopHubs()
            throw error
        }
        let port = listener.localAddress?.port ?? 0
        logger.info("client port open", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
        resolveBinding(.success(port))
        // Cancellation is a shutdown as well, without the waiting.
        try? await gracefulShutdown()
        await drain()
        // A listener that is closed already is as good.
        try? await listener.close()
        for hub in hubs { try await hub.eventLoop.submit { hub.cutAll() }.get() }
        try await stopHubs()
        logger.info("client port closed")
    }

    private func resolveBinding(_ result: Result<Int, any Error>) {
        let waiting: [CheckedContinuation<Int, any Error>] = binding.withLock { binding in
            guard case .waiting(let continuations) = binding else { return [] }
            switch result {
            case .success(let port): binding = .bound(port)
            case .failure(let error): binding = .failed(error)
            }
            return continuations
        }
        for continuation in waiting { continuation.resume(with: result) }
    }

    private func listen() async throws -> any Channel {
        let hubs = Dictionary(uniqueKeysWithValues: hubs.map { (ObjectIdentifier($0.eventLoop), $0) })
        // One mark for both, so that a channel is writable again as soon as it is within the limit.
        let mark = configuration.maxLiveBytes
        let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: mark, high: mark)
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        if configuration.sendBufferBytes > 0 {
            // What is accepted inherits it. The system keeps its books with twice as much.
            let bytes = ChannelOptions.Types.SocketOption.Value(configuration.sendBufferBytes / 2)
            bootstrap = bootstrap.serverChannelOption(.socketOption(.so_sndbuf), value: bytes)
        }
        return
            try await bootstrap
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelInitializer { channel in
                guard let hub = hubs[ObjectIdentifier(channel.eventLoop)] else {
                    preconditionFailure("a connection on a loop without a hub")
                }
                return channel.eventLoop.makeCompletedFuture {
                    // Here rather than by the bootstrap, which makes a future for each option of each connection. That
                    // nothing waits for more to send is inherited: NIO tells it the listener.
                    if let options = channel.syncOptions {
                        try options.setOption(.maxMessagesPerRead, value: 1)
                        try options.setOption(.writeBufferWaterMark, value: waterMark)
                        try options.setOption(.recvAllocator, value: SharedReceiving(hub.receiveBuffer))
                    }
                    try hub.accept(channel)
                }
            }
            .bind(host: configuration.host, port: configuration.port)
            .get()
    }
}

// MARK: - Shutdown

extension SocketServer {
    /// Tells clients to reconnect elsewhere, waits for them up to the limit, closes the rest.
    private func drain() async {
        census.beginDraining()
        askAway("draining")
        await waitUntilEmpty(configuration.drainTimeout)
        for hub in hubs { hub.eventLoop.execute { hub.closeAll(.goingAway) } }
        await waitUntilEmpty(configuration.closeTimeout)
        logger.info("drained", metadata: ["left": "\(census.status.connections)"])
    }

    /// Lets nobody in, tells clients to reconnect elsewhere, and closes those of them who have not gone in time; the server
    /// runs on.
    package func sendAway() {
        census.shut()
        askAway("sending the clients away")
        let limit = TimeAmount.nanoseconds(configuration.drainTimeout.nanoseconds)
        for hub in hubs { hub.eventLoop.scheduleTask(in: limit) { hub.closeSentAway() } }
    }

    /// After `sendAway`: clients may come.
    package func admitAgain() { census.open() }

    private func askAway(_ what: Logger.Message) {
        let connections = census.status.connections
        let plan = DrainPlan(
            connections: connections, rate: configuration.drainRate, limit: configuration.drainTimeout)
        logger.info(
            what, metadata: ["connections": "\(connections)", "clientsPerSecond": "\(plan.perSecond)"])
        for (index, hub) in hubs.enumerated() {
            hub.eventLoop.execute { [hubs] in hub.drain(plan, loop: index, of: hubs.count) }
        }
    }

    /// Returns at once in a cancelled task.
    private func waitUntilEmpty(_ limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [census] in await census.emptied() }
            // The sleep ends early where the other is first, or by cancellation.
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func stopHubs() async throws {
        for hub in hubs { try await hub.eventLoop.submit { hub.stop() }.get() }
    }
}
