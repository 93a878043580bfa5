import AsyncHTTPClient
import Foundation
import GatewayCore
import Logging
import Metrics
import NIOCore
import ServiceLifecycle
import Synchronization
import Traces
import Webhooks

/// Sends finished spans to a collector, some at a time. What it does not take is lost and counted: nothing waits for it, and
/// nothing is sent twice.
struct TraceExporter: Service {
    private let tracer: SpanTracer
    private let url: String
    private let body: OTLPBody
    private let logger: Logger
    private let start = ContinuousClock.now
    private let exported: Counter, failed: Counter, dropped: Counter

    private static let interval = Duration.seconds(2)
    private static let batch = 512
    private static let patience = Duration.seconds(5)
    /// What is read of an answer.
    private static let maxAnswerBytes = 65_536

    /// What is left of the time that the node's end may take here.
    private final class Ending: Sendable {
        private let began = Mutex<ContinuousClock.Instant?>(nil)

        func begins() { began.withLock { $0 = $0 ?? .now } }

        var left: Duration { TraceExporter.patience - (began.withLock { $0 }?.duration(to: .now) ?? .zero) }
    }

    init(_ tracer: SpanTracer, to url: String, nodeId: String, metrics: any MetricsFactory, logger: Logger) {
        self.tracer = tracer
        self.url = url
        self.logger = logger
        body = OTLPBody(
            resource: [
                .init(name: "service.name", value: .text("martlet")),
                .init(name: "service.version", value: .text(MartletVersion.current)),
                .init(name: "service.instance.id", value: .text(nodeId)),
            ], version: MartletVersion.current)
        func counter(_ result: String) -> Counter {
            Counter(label: "martlet_trace_spans_total", dimensions: [("result", result)], factory: metrics)
        }
        (exported, failed, dropped) = (counter("exported"), counter("failed"), counter("dropped"))
    }

    func run() async throws {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: TimeAmount(TraceExporter.patience))
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        if let target = WebhookURL(url) { configuration.holdCertificates(to: target) }
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let ending = Ending()
        await withGracefulShutdownHandler {
            await export(by: http, ending)
        } onGracefulShutdown: {
            ending.begins()
        }
        // What is left open ends with the process.
        try? await http.shutdown()
    }

    private func export(by http: HTTPClient, _ ending: Ending) async {
        var trouble = Trouble()
        let ticks = AsyncStream<Void>(unfolding: {
            // It ends early where the task is cancelled, and then the stream does.
            try? await Task.sleep(for: TraceExporter.interval)
            return Task.isCancelled ? nil : ()
        })
        for await _ in ticks.cancelOnGracefulShutdown() { await send(by: http, &trouble) }
        // What the last requests have left; with what was on its way by then it takes one patience at most.
        let left = ending.left
        if left > .zero { await send(by: http, &trouble, within: left) }
    }

    /// All that waits, a batch after the other, until one is not taken; one batch where the node ends.
    private func send(
        by http: HTTPClient, _ trouble: inout Trouble, within time: Duration = TraceExporter.patience
    ) async {
        while true {
            let (spans, lost) = tracer.take(TraceExporter.batch)
            if lost > 0 { dropped.increment(by: lost) }
            guard !spans.isEmpty else { return }
            let reason = await refusal(of: body.encode(spans), by: http, within: time)
            if let reason {
                failed.increment(by: spans.count)
                if trouble.failed(reason, at: now) {
                    logger.warning("The collector of traces takes no spans", metadata: ["reason": "\(reason)"])
                }
            } else {
                exported.increment(by: spans.count)
                if trouble.passed() { logger.info("The collector of traces takes spans again") }
            }
            if reason != nil || spans.count < TraceExporter.batch || Task.isShuttingDownGracefully { return }
        }
    }

    private var now: MonotonicTime { MonotonicTime(nanoseconds: start.duration(to: .now).nanoseconds) }

    /// Nil where it took them.
    private func refusal(of body: [UInt8], by http: HTTPClient, within time: Duration) async -> String? {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Martlet")
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            // The status is the answer, however what follows it ends.
            let status = try await http.ask(request, within: time, upTo: TraceExporter.maxAnswerBytes).status.code
            return (200..<300).contains(status) ? nil : "it answered \(status)"
        } catch {
            return "it cannot be reached, or does not answer"
        }
    }
}

extension TraceExporter: CustomStringConvertible {
    /// What a service group's log calls it.
    var description: String { "TraceExporter" }
}
