import GatewayCore
import Logging
import Metrics
import ServiceLifecycle

/// Sends the ledger's events to every receiver, each at its own pace.
package struct WebhookService: Service {
    private let configuration: WebhookConfiguration
    private let ledger: any EventLedger
    private let metrics: any MetricsFactory
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// `now` are the seconds since 1970 that requests are signed with.
    package init(
        configuration: WebhookConfiguration, ledger: any EventLedger, metrics: any MetricsFactory, logger: Logger,
        now: @escaping @Sendable () -> Int64
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.metrics = metrics
        self.logger = logger
        self.now = now
    }

    /// Throws where the file of certificate authorities cannot be read.
    package func run() async throws {
        let authorities = try configuration.authorities()
        let senders = configuration.receivers.map { receiver in
            (receiver, WebhookSender(to: receiver, configuration: configuration, authorities: authorities, now: now))
        }
        await withDiscardingTaskGroup { tasks in
            for (receiver, sender) in senders {
                var logger = logger
                logger[metadataKey: "webhook"] = "\(receiver.shownURL)"
                let line = ReceiverLine(
                    receiver: receiver, configuration: configuration, ledger: ledger, sender: sender,
                    metrics: WebhookMetrics(receiver: receiver, factory: metrics), logger: logger)
                tasks.addTask { await line.run() }
            }
            tasks.addTask { await cancelWhenGracefulShutdown { await trim() } }
        }
        for (_, sender) in senders { try await sender.shutdown() }
    }

    private func trim() async {
        // A cancelled task trims no more.
        while (try? await Task.sleep(for: configuration.trimInterval)) != nil {
            for assignment in ledger.assignments() {
                // What is not let go of now is at the next round, by whoever coordinates the partition then.
                try? await ledger.trim(assignment, receivers: configuration.receivers)
            }
        }
    }
}

extension WebhookService: CustomStringConvertible {
    /// What a service group's log calls it: without this, all that it holds, secrets included.
    package var description: String { "WebhookService" }
}
