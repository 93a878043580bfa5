import Dialects
import GatewayCore
import Hummingbird
import HummingbirdCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceLifecycle
import Tracing

/// The api port of a node, from its start to the end of its last request.
///
/// It owns nothing that others need: every answer comes from the log, the directories and the closures it was given.
package struct ControlServer: Service {
    private let configuration: ControlConfiguration
    private let responder: ControlResponder
    /// Those that open `/v1`; whoever keeps them replaces them.
    package let keys: KeyRing
    private let connections: HTTPConnectionHandler.Dependencies
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - presence: who is online and who is where.
    ///   - webhooks: how the receivers of events fare; nil where there are none.
    ///   - bans: which addresses are kept out.
    ///   - connectionCloser: closes single connections.
    ///   - rooms: which settings rooms have.
    ///   - erasure: takes payloads away.
    ///   - spenders: who costs most.
    ///   - rights: has the backend asked again; nil where none is.
    ///   - calls: keeps what backends did; nil where nothing does.
    ///   - readiness: asked for each `/readyz`; must not block.
    ///   - liveness: asked for each `/healthz`: whether the event loops turn.
    ///   - wall: milliseconds since 1970.
    ///   - tracer: makes the spans of requests; nil where none are made.
    ///   - metrics: what `/metrics` shows; the server counts its own requests there too.
    ///   - onListening: told the port once requests are taken.
    package init(
        configuration: ControlConfiguration,
        log: any MessageLog,
        nodes: any NodeDirectory,
        presence: any PresenceDirectory,
        webhooks: (any WebhookDirectory)? = nil,
        bans: any AddressBans,
        connectionCloser: any ConnectionCloser,
        rooms: any RoomGovernor,
        erasure: any MessageErasure,
        spenders: any SpenderDirectory,
        rights: (any RightsReview)? = nil,
        calls: (any CallLedger)? = nil,
        readiness: @escaping @Sendable () -> Readiness,
        liveness: @escaping @Sendable () async -> Bool = { true },
        wall: @escaping @Sendable () -> Int64 = { Int64(HTTPDate.now) * 1000 },
        tracer: (any Tracer)? = nil,
        metrics: MetricsRegistry,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onListening = onListening
        let requests = RequestMetrics(registry: metrics)
        connections = ControlServer.connections(configuration, requests: requests, metrics: metrics)
        let keys = KeyRing(
            whole: configuration.keys, named: configuration.backendKeys, now: ControlServer.now)
        self.keys = keys
        let broadcaster = Broadcaster(log: log, failures: RecurringWarning("Broadcasts could not be stored", logger))
        responder = ControlResponder(
            keys: keys, audit: Audit(logger: logger, ledger: calls),
            body: RequestBodyReader(maxBytes: configuration.maxBodyBytes),
            broadcaster: broadcaster, log: log, nodes: nodes, presence: presence, webhooks: webhooks, bans: bans,
            connections: connectionCloser, turn: configuration.turn, rooms: rooms, erasure: erasure,
            spenders: spenders, rights: rights,
            pusher: PusherAPI(
                apps: configuration.apps, rates: AppRates(now: ControlServer.now), broadcaster: broadcaster, log: log,
                presence: presence, now: wall),
            console: Console(clientPort: configuration.clientPort, apiPort: configuration.port),
            readiness: readiness, liveness: liveness, metrics: metrics, requests: requests,
            tracing: RequestTracing(tracer: tracer), logger: logger,
            unavailable: RecurringWarning("Requests failed because the store is unavailable", logger))
    }

    /// Those of backends that another port may answer too.
    package var signedCalls: any SignedCalls { PusherCalls(responder: responder) }

    @Sendable private static func now() -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
    }

    private static func connections(
        _ configuration: ControlConfiguration, requests: RequestMetrics, metrics: MetricsRegistry
    ) -> HTTPConnectionHandler.Dependencies {
        let givenWay = Counter(label: "martlet_api_connections_given_way_total", factory: metrics)
        return HTTPConnectionHandler.Dependencies(
            heads: RequestHeadRules(
                fence: configuration.fence, needsClientCertificate: configuration.needsClientCertificate),
            times: HTTPConnectionRules.Times(
                head: configuration.headTimeout, idle: configuration.idleTimeout, body: configuration.bodyTimeout),
            table: ConnectionTable(places: configuration.maxConnections) { givenWay.increment() },
            now: ControlServer.now,
            date: HTTPDateCache { HTTPDate.now },
            onRefusal: { requests.refused(status: $0) })
    }

    /// Serves until the task is cancelled or shut down gracefully; requests that have come in by then are answered.
    ///
    /// - Throws: what the system says where the port cannot be had.
    package func run() async throws {
        let onListening = self.onListening
        // Its own lines tell of requests and addresses in words of its own; what is wrong is still said.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            responder: responder,
            server: HTTPServerBuilder {
                [connections, own = Shared(responder), tls = configuration.tls] responder in
                ControlChannel(
                    library: HTTP1Channel(
                        responder: responder,
                        configuration: HTTP1Channel.Configuration(
                            httpDecoderConfiguration: .init(
                                maxHeaderFieldSize: HeadBounds.fieldBytes, maxHeaderListSize: HeadBounds.bytes,
                                maxHeaderFieldCount: HeadBounds.fields))),
                    dependencies: connections, responder: own, tls: tls)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 4096),
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { await onListening(port) }
            },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: serverLogger)
        try await application.run()
    }
}

extension ControlServer: CustomStringConvertible {
    /// What a service group's log calls it: without this, all that it holds, API keys included.
    package var description: String { "ControlServer" }
}
