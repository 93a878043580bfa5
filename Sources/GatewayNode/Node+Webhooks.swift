import Foundation
import Metrics
import RedisBackend
import Traces
import Webhooks

extension Node {
    /// Nil where no receiver is configured: then nothing of it runs.
    func webhookService(_ backend: Backend, metrics: any MetricsFactory, tracer: SpanTracer?) -> WebhookService? {
        let configuration = settings.webhookConfiguration
        guard !configuration.receivers.isEmpty else { return nil }
        return WebhookService(
            configuration: configuration, ledger: backend.eventLedger, tracer: tracer, metrics: metrics,
            logger: logger, now: { Int64(Date().timeIntervalSince1970) },
            wall: { Int64(Date().timeIntervalSince1970 * 1000) })
    }
}
