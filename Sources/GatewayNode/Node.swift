import ControlAPI
import Foundation
import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import ServiceLifecycle
import SocketServer
import Traces
import UnixSignals

/// A gateway node: everything the settings name, running until it is told to end.
package struct Node: Sendable {
    /// Into how many parts the rooms and users of a deployment are divided; all its nodes must agree.
    package static let partitions = Partition.count

    let settings: Settings
    let logger: Logger
    /// Reads the settings again, as they are written by then.
    private let read: @Sendable () throws(SettingsError) -> (settings: Settings, warnings: [String])

    package init(
        settings: Settings, logger: Logger,
        read: @escaping @Sendable () throws(SettingsError) -> (settings: Settings, warnings: [String])
    ) {
        self.settings = settings
        self.logger = logger
        self.read = read
    }

    /// Returns after a drain; throws ``NodeFailure`` where it cannot start or go on.
    package func run() async throws {
        let descriptors = FileDescriptorLimit.raise()
        logger.info(
            "Descriptor limit", metadata: ["before": "\(descriptors.before)", "now": "\(descriptors.now)"])
        do {
            // Before the node has a name in Redis, or a Redis of its own.
            try await PortTrial.tryPorts(of: settings)
            let embedded = settings.redisURL == nil ? try await EmbeddedRedis.start() : nil
            do {
                try await serve(on: embedded)
            } catch {
                await embedded?.stop()
                throw error
            }
        } catch {
            throw NodeFailure(error, settings: settings)
        }
    }

    /// The order is that of the start; the shutdown is its reverse, so that clients go first and Redis last.
    private func serve(on embedded: EmbeddedRedis?) async throws {
        let threads = settings.threads > 0 ? settings.threads : System.coreCount
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        // Nothing that a client can ask for runs on this one: it keeps the node's lease, whatever the others are busy with.
        let life = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let metrics = MetricsRegistry()
        let build = [("version", MartletVersion.current), ("swift", MartletVersion.swift)]
        Gauge(label: "martlet_build_info", dimensions: build, factory: metrics).record(1)
        Gauge(label: "martlet_node_info", dimensions: [("node", settings.nodeId)], factory: metrics).record(1)
        let load = LoadMeter()
        let memory = MemoryAccount(budget: settings.memoryLimit)
        let spending = SpendingBook(now: Clocks.system.monotonic)
        var stored = try settings.backendConfiguration(redisURL: embedded?.url ?? settings.redisURL ?? "")
        stored.memory = memory
        let tracer = settings.tracing.url.map { _ in SpanTracer(ratio: settings.tracing.sample) }
        stored.tracer = tracer
        stored.spenders = { spending.spenders() }
        let backend = Backend(
            configuration: stored,
            eventLoop: group.next(), life: life.next(), logger: logger, metrics: metrics, load: load.read)
        metrics.observe("martlet_node_lease_seconds") { backend.leaseLeft / .seconds(1) }
        let hook = try hookAuthorizer(metrics: metrics)
        backend.whenReviewed { hook?.forget($0) }
        let log = try archivedLog(backend, metrics: metrics)
        let tokens = try Tokens(settings, group: group, metrics: metrics, logger: logger)
        if let keys = tokens.service {
            metrics.observe("martlet_token_issuers_without_keys") { Double(keys.standings.missing) }
        }
        let certificates = try Certificates(settings, metrics: metrics)
        let signedCalls = LateCalls()
        let admission: @Sendable (Settings) -> SocketServerConfiguration = {
            [banned = stored.bannedAddresses] settings in
            var admission = settings.socketConfiguration(
                authentication: Node.authentication(settings, tokens), authorizer: hook)
            admission.sessionCheck = backend.sessionCheck
            admission.bannedAddresses = banned
            admission.tls = certificates.client
            if settings.pusher.api == .client { admission.calls = signedCalls }
            return admission
        }
        let sockets = SocketServer(
            configuration: admission(settings), group: group,
            streams: backend.streams, log: log, presence: backend.presence,
            presenceDirectory: backend.presenceDirectory, governor: backend.roomGovernor, metrics: metrics,
            logger: logger, tally: spending,
            memory: memory)
        load.attach(sockets.census)
        var calls = settings.controlConfiguration
        calls.tls = certificates.api
        calls.maxConnections = sockets.shares.api
        calls.needsClientCertificate = settings.apiTLS.clientAuthorityFile != nil
        let control = ControlServer(
            configuration: calls, log: log, nodes: backend.directory,
            presence: backend.presenceDirectory, webhooks: backend.webhookDirectory, bans: backend.addressBans,
            connectionCloser: backend.connectionCloser, rooms: backend.roomGovernor, erasure: backend.messageErasure,
            spenders: backend.spenderDirectory,
            rights: hook == nil ? nil : backend.rightsReview, calls: backend.callLedger,
            readiness: { Node.readiness(backend, sockets, tokens, hook) },
            liveness: { await Node.isAlive(life, sockets) },
            tracer: tracer, metrics: metrics, eventLoopGroup: group, logger: logger,
            onListening: { [logger, settings] port in
                logger.info("api port open", metadata: ["host": "\(settings.api.host)", "port": "\(port)"])
            })

        signedCalls.calls.replace(control.signedCalls)

        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let embedded { services.append(.init(service: embedded)) }
        // Where the node has lost its name or may not use Redis, its clients are still sent away in order.
        services.append(.init(service: backend, failureTerminationBehavior: .gracefullyShutdownGroup))
        if let tracer, let url = settings.tracing.url {
            // Ends behind all that makes spans.
            services.append(
                .init(
                    service: TraceExporter(
                        tracer, to: url, nodeId: settings.nodeId, metrics: metrics, logger: logger)))
        }
        let webhooks = webhookService(backend, metrics: metrics, tracer: tracer)
        let parts = Reloader.Parts(
            tokens: tokens, hook: hook, certificates: certificates, keys: control.keys,
            keysKeeper: try KeysKeeper(settings, ring: control.keys), sockets: sockets, admission: admission,
            backend: backend, webhooks: webhooks)
        if !parts.files.isEmpty {
            services.append(.init(service: FileWatch(files: parts.files, logger: logger)))
        }
        if let keys = tokens.service { services.append(.init(service: keys)) }
        if let hook { services.append(.init(service: hook)) }
        if let webhooks { services.append(.init(service: webhooks)) }
        services.append(.init(service: MemoryKeeper(account: memory, metrics: metrics, logger: logger)))
        services.append(.init(service: ClientRelief(steps: backend.reliefs, sockets: sockets, logger: logger)))
        services.append(.init(service: control))
        services.append(.init(service: sockets))
        // Below this level the group describes its services with all that is in them, keys and secrets too.
        var groupLogger = logger
        groupLogger.logLevel = max(.info, logger.logLevel)
        let serviceGroup = ServiceGroup(
            configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: groupLogger))
        let impatience = await Node.endAtSecondSignal(logger: logger)
        let hangUps = await Node.reloadAtHangUps(
            Reloader(settings, parts: parts, logger: logger, read: read))
        defer {
            impatience.cancel()
            hangUps.cancel()
        }
        do {
            try await serviceGroup.run()
        } catch {
            try await Node.end([group, life])
            throw error
        }
        try await Node.end([group, life])
    }

    private static func end(_ groups: [MultiThreadedEventLoopGroup]) async throws {
        for group in groups { try await group.shutdownGracefully() }
    }

    /// The first signal drains; whoever sends another does not want to wait for it.
    private static func endAtSecondSignal(logger: Logger) async -> Task<Void, Never> {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        return Task {
            var isDraining = false
            for await signal in signals {
                if isDraining {
                    logger.warning("second signal: ends without draining")
                    exit(128 + signal.rawValue)
                }
                isDraining = true
            }
        }
    }

    /// A terminal that was closed ends no node; a script that expects a reload gets one.
    private static func reloadAtHangUps(_ reloader: Reloader) async -> Task<Void, Never> {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        return Task { for await _ in signals { reloader.reload() } }
    }

    private static func readiness(
        _ backend: Backend, _ sockets: SocketServer, _ tokens: Tokens, _ hook: HookAuthorizer?
    ) -> Readiness {
        if sockets.status.isDraining { return .notReady(reason: "draining") }
        let keys = tokens.standings
        if let problem = keys?.problem { return .notReady(reason: problem) }
        if let problem = backend.problem { return .notReady(reason: problem) }
        let restrictions = [backend.restriction, keys?.restriction, hook?.restriction].compactMap(\.self)
        return restrictions.isEmpty ? .ready : .restricted(reason: restrictions.joined(separator: "; "))
    }

    /// How long a loop may be busy with one turn before the node counts as dead: longer than any attack that it ought to
    /// live through, since whoever asks for its life would end it.
    private static let patience = Duration.seconds(20)

    /// Whether every event loop still comes round. Those of the clients are not waited for, however busy they are.
    private static func isAlive(_ life: MultiThreadedEventLoopGroup, _ sockets: SocketServer) async -> Bool {
        guard sockets.isTurning(within: patience) else { return false }
        do {
            try await life.next().submit {}.get()
            return true
        } catch {
            return false
        }
    }
}
