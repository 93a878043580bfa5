import GatewayCore
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The api port of a node, from its start to the end of its last request.
///
/// It owns nothing that others need: every answer comes from the log, the directories and the closures it was given.
package struct ControlServer: Service {
    private let configuration: ControlConfiguration
    private let responder: ControlResponder
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - presence: who is online and who is where.
    ///   - webhooks: how the receivers of events fare; nil where there are none.
    ///   - readiness: asked for each `/readyz`; must not block.
    ///   - liveness: asked for each `/healthz`: whether the event loops turn.
    ///   - metrics: what `/metrics` shows; the server counts its own requests there too.
    ///   - onListening: told the port once requests are taken.
    package init(
        configuration: ControlConfiguration,
        log: any MessageLog,
        nodes: any NodeDirectory,
        presence: any PresenceDirectory,
        webhooks: (any WebhookDirectory)? = nil,
        readiness: @escaping @Sendable () -> Readiness,
        liveness: @escaping @Sendable () async -> Bool = { true },
        metrics: MetricsRegistry,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onListening = onListening
        responder = ControlResponder(
            keys: APIKeys(configuration.keys),
            body: RequestBodyReader(maxBytes: configuration.maxBodyBytes, timeout: configuration.bodyTimeout),
            broadcaster: Broadcaster(log: log, logger: logger),
            log: log, nodes: nodes, presence: presence, webhooks: webhooks,
            console: Console(clientPort: configuration.clientPort, apiPort: configuration.port),
            readiness: readiness, liveness: liveness, metrics: metrics, logger: logger)
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
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    idleTimeout: TimeAmount(configuration.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 8192, maxHeaderListSize: 16384, maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: .maximum(configuration.maxConnections, logger: serverLogger)),
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
