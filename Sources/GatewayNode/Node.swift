import Logging
import Metrics
import ServiceLifecycle

/// A gateway node: everything the settings name, running until it is told to end.
package struct Node: Sendable {
    /// Into how many parts the rooms and users of a deployment are divided; all its nodes must agree.
    package static let partitions = 64

    private let settings: Settings
    private let logger: Logger
    private let metrics: any MetricsFactory

    package init(settings: Settings, logger: Logger, metrics: any MetricsFactory) {
        self.settings = settings
        self.logger = logger
        self.metrics = metrics
    }

    /// Returns after a drain; throws ``NodeFailure`` where it cannot start or go on.
    package func run() async throws {
        var services: [any Service] = []
        if settings.redis.url == nil {
            do {
                services.append(try await EmbeddedRedis.start())
            } catch let error as EmbeddedRedisError {
                throw NodeFailure(error.description, status: NodeFailure.unavailable)
            }
        }
        let group = ServiceGroup(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        logger.info("Node started", metadata: ["node": "\(settings.nodeId)"])
        do {
            try await group.run()
        } catch let error as EmbeddedRedisError {
            throw NodeFailure(error.description, status: NodeFailure.unavailable)
        }
    }
}
