import AsyncHTTPClient
import Foundation
import Logging
import Metrics
import NIOCore
import ServiceLifecycle
import Traces

/// Sends finished spans to a collector, some at a time. What it does not take is lost and counted: nothing waits for it, and
/// nothing is sent twice.
struct TraceExporter: Service {
    private let tracer: SpanTracer
    private let url: String
    private let body: OTLPBody
    private let logger: Logger
    private let exported: Counter, failed: Counter, dropped: Counter

    private static let interval = Duration.seconds(2)
    private static let batch = 512
    private static let patience = TimeAmount.seconds(5)

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
        configuration.timeout = .init(connect: TraceExporter.patience, read: TraceExporter.patience)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        var trouble: String?
        let ticks = AsyncStream<Void>(unfolding: {
            // It ends early where the task is cancelled, and then the stream does.
            try? await Task.sleep(for: TraceExporter.interval)
            return Task.isCancelled ? nil : ()
        })
        for await _ in ticks.cancelOnGracefulShutdown() { await send(by: http, &trouble) }
        // What the last requests have left; a collector that is away takes at most one patience.
        await send(by: http, &trouble, onlyOne: true)
        // What is left open ends with the process.
        try? await http.shutdown()
    }

    /// All that waits, a batch after the other, until one is not taken.
    private func send(by http: HTTPClient, _ trouble: inout String?, onlyOne: Bool = false) async {
        while true {
            let (spans, lost) = tracer.take(TraceExporter.batch)
            if lost > 0 { dropped.increment(by: lost) }
            guard !spans.isEmpty else { return }
            let reason = await refusal(of: body.encode(spans), by: http)
            if let reason {
                failed.increment(by: spans.count)
                if reason != trouble {
                    logger.warning("The collector of traces takes no spans", metadata: ["reason": "\(reason)"])
                }
            } else {
                exported.increment(by: spans.count)
                if trouble != nil { logger.info("The collector of traces takes spans again") }
            }
            trouble = reason
            if reason != nil || onlyOne || spans.count < TraceExporter.batch { return }
        }
    }

    /// Nil where it took them.
    private func refusal(of body: [UInt8], by http: HTTPClient) async -> String? {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Martlet")
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await http.execute(request, timeout: TraceExporter.patience)
            var read = 0
            do {
                // A short answer is read to its end, so that the connection can be used again; a long one ends it.
                for try await part in response.body {
                    read += part.readableBytes
                    if read > 65_536 { break }
                }
            } catch {
                // The status is the answer, however what follows it ends.
            }
            let status = Int(response.status.code)
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
