import GatewayCore
import Logging
import Metrics
import NIOSSL
import ServiceLifecycle
import Tracing

/// Sends the ledger's events to every receiver, each at its own pace.
package final class WebhookService: Service {
    private struct Plan: Sendable {
        let configuration: WebhookConfiguration
        let authorities: [NIOSSLCertificate]
    }

    private let configuration: Current<WebhookConfiguration>
    private let (plans, plan) = AsyncStream.makeStream(of: Plan.self)
    private let ledger: any EventLedger
    private let tracer: (any Tracer)?
    private let metrics: any MetricsFactory
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let wall: @Sendable () -> Int64

    /// - Parameters:
    ///   - tracer: makes spans of attempts; nil where none are made.
    ///   - now: the seconds since 1970 that requests are signed with.
    ///   - wall: the milliseconds since 1970 that requests in Pusher's form bear; nil: those of `now`.
    package init(
        configuration: WebhookConfiguration, ledger: any EventLedger, tracer: (any Tracer)? = nil,
        metrics: any MetricsFactory, logger: Logger,
        now: @escaping @Sendable () -> Int64, wall: (@Sendable () -> Int64)? = nil
    ) {
        self.configuration = Current(configuration)
        self.ledger = ledger
        self.tracer = tracer
        self.metrics = metrics
        self.logger = logger
        self.now = now
        self.wall = wall ?? { now() * 1000 }
    }

    /// Sends to these receivers from here on, and to those of before no more; what each has had is known by its URL.
    ///
    /// - Parameter authorities: those of the configuration's file.
    package func replace(_ configuration: WebhookConfiguration, authorities: [NIOSSLCertificate]) {
        self.configuration.replace(configuration)
        plan.yield(Plan(configuration: configuration, authorities: authorities))
    }

    /// Throws where the file of certificate authorities cannot be read.
    package func run() async throws {
        let first = configuration.now
        let begin = Plan(configuration: first, authorities: try first.authorities())
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await cancelWhenGracefulShutdown { await self.trim() } }
            var last = start(begin, in: &tasks)
            for await plan in plans.cancelOnGracefulShutdown() {
                last.stop.finish()
                for await _ in last.end {}
                last = start(plan, in: &tasks)
            }
        }
    }

    /// Serves all receivers of a plan until `stop` is finished, or the service shuts down; `end` ends behind the last.
    private func start(
        _ plan: Plan, in tasks: inout DiscardingTaskGroup
    ) -> (stop: AsyncStream<Void>.Continuation, end: AsyncStream<Void>) {
        let (stopping, stop) = AsyncStream.makeStream(of: Void.self)
        let (end, ended) = AsyncStream.makeStream(of: Void.self)
        tasks.addTask {
            await self.serve(plan, until: stopping)
            ended.finish()
        }
        return (stop, end)
    }

    private func serve(_ plan: Plan, until stopping: AsyncStream<Void>) async {
        let configuration = plan.configuration
        let senders = configuration.receivers.map { receiver in
            (
                receiver,
                WebhookSender(to: receiver, configuration: configuration, authorities: plan.authorities, now: now)
            )
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { lines in
                    for (receiver, sender) in senders {
                        let line = self.line(to: receiver, configuration, sender)
                        lines.addTask { await line.run() }
                    }
                }
            }
            group.addTask { for await _ in stopping {} }
            await group.next()
            group.cancelAll()
        }
        // A sender that cannot be ended in order has no request under way any more.
        for (_, sender) in senders { try? await sender.shutdown() }
    }

    private func line(
        to receiver: WebhookReceiver, _ configuration: WebhookConfiguration, _ sender: WebhookSender
    ) -> ReceiverLine {
        var logger = logger
        logger[metadataKey: "webhook"] = "\(receiver.shownURL)"
        return ReceiverLine(
            receiver: receiver, configuration: configuration, ledger: ledger, sender: sender,
            attempts: AttemptTracing(tracer: tracer, receiver: receiver.name),
            metrics: WebhookMetrics(receiver: receiver, factory: metrics), wall: wall, logger: logger)
    }

    private func trim() async {
        // A cancelled task trims no more.
        while (try? await Task.sleep(for: configuration.now.trimInterval)) != nil {
            for assignment in ledger.assignments() {
                // What is not let go of now is at the next round, by whoever coordinates the partition then.
                try? await ledger.trim(assignment, receivers: configuration.now.receivers)
            }
        }
    }
}

extension WebhookService: CustomStringConvertible {
    /// What a service group's log calls it: without this, all that it holds, secrets included.
    package var description: String { "WebhookService" }
}
