import GatewayCore
import Metrics

/// The metrics of one receiver; its label is the name in the store, one for each configured URL.
struct WebhookMetrics: Sendable {
    private let taken: Counter
    private let failed: Counter
    private let sent: Counter
    private let givenUp: Counter
    private let lost: Counter
    private let lag: Gauge
    private let request: Timer

    init(receiver: WebhookReceiver, factory: any MetricsFactory) {
        func counter(_ name: String, _ result: String) -> Counter {
            Counter(label: name, dimensions: [("receiver", receiver.name), ("result", result)], factory: factory)
        }
        taken = counter("martlet_webhook_requests_total", "taken")
        failed = counter("martlet_webhook_requests_total", "failed")
        sent = counter("martlet_webhook_events_total", "sent")
        givenUp = counter("martlet_webhook_events_total", "given_up")
        lost = counter("martlet_webhook_events_total", "lost")
        lag = Gauge(label: "martlet_webhook_lag", dimensions: [("receiver", receiver.name)], factory: factory)
        request = Timer(
            label: "martlet_webhook_request_duration_seconds", dimensions: [("receiver", receiver.name)],
            factory: factory)
    }

    /// A request was answered, or failed, after so long.
    func asked(for duration: Duration) { request.recordNanoseconds(duration.nanoseconds) }

    func answered(_ answer: LaneBoard.Answer) {
        switch answer {
        case .taken: taken.increment()
        case .failed: failed.increment()
        }
    }

    func settled(_ batch: LedgerBatch, _ outcome: LedgerOutcome) {
        switch (batch.kind, outcome) {
        case (.loss, _): lost.increment(by: batch.events.first?.count ?? 0)
        case (_, .sent): sent.increment(by: batch.events.count)
        case (.news, .givenUp): givenUp.increment(by: batch.events.count)
        case (.replay, .givenUp): break
        }
    }

    func record(lag events: Int) { lag.record(events) }
}
