import Foundation
import GatewayCore
import Testing
import Traces
import Tracing

@Suite("Spans")
struct SpanTracerTests {
    private static let parent = TraceContext(traceHigh: 1, traceLow: 2, span: 3, isSampled: true)

    private func context(_ trace: TraceContext?) -> ServiceContext {
        var context = ServiceContext.topLevel
        context.trace = trace
        return context
    }

    @Test func `a call that belongs to a sampled trace is written down under it`() throws {
        let tracer = SpanTracer(ratio: 0)
        let span = tracer.startSpan("GET room", context: context(Self.parent), ofKind: .server)
        span.updateAttributes { $0["status"] = 200 }
        span.setStatus(SpanStatus(code: .error, message: "no"))
        #expect(span.isRecording && tracer.take(10).spans.isEmpty)
        span.end()
        span.end()
        #expect(!span.isRecording)
        let (spans, lost) = tracer.take(10)
        let told = try #require(spans.first)
        #expect(spans.count == 1 && lost == 0)
        #expect(told.name == "GET room" && told.kind == .server && told.parent == 3 && told.failure == "no")
        #expect(told.context.traceHigh == 1 && told.context.traceLow == 2 && told.context.span != 3)
        #expect(told.attributes == [.init(name: "status", value: .number(200))] && told.end >= told.start)
        #expect(span.context.trace == told.context)
    }

    @Test func `what the caller does not sample is handed on and not written down`() {
        let tracer = SpanTracer(ratio: 1)
        var parent = Self.parent
        parent.isSampled = false
        let span = tracer.startSpan("x", context: context(parent), ofKind: .server)
        span.end()
        #expect(!span.isRecording && tracer.take(10).spans.isEmpty)
        #expect(span.context.trace?.traceLow == 2 && span.context.trace?.isSampled == false)
    }

    @Test func `of calls without a trace as many are written down as was asked for`() {
        for (ratio, expected) in [(0.0, 0), (1.0, 100)] {
            let tracer = SpanTracer(ratio: ratio)
            for _ in 0..<100 { tracer.startSpan("x", context: .topLevel, ofKind: .server).end() }
            let spans = tracer.take(1_000).spans
            #expect(spans.count == expected && spans.allSatisfy { $0.parent == nil })
            #expect(Set(spans.map(\.context.traceText)).count == expected)
        }
        let some = SpanTracer(ratio: 0.5)
        for _ in 0..<1_000 { some.startSpan("x", context: .topLevel, ofKind: .server).end() }
        #expect((300..<700).contains(some.take(1_000).spans.count))
    }

    @Test func `beyond the bound spans are lost and counted`() {
        let tracer = SpanTracer(ratio: 1, capacity: 3)
        for _ in 0..<5 { tracer.startSpan("x", context: .topLevel, ofKind: .server).end() }
        let first = tracer.take(2)
        #expect(first.spans.count == 2 && first.lost == 2)
        let rest = tracer.take(2)
        #expect(rest.spans.count == 1 && rest.lost == 0)
    }

    @Test func `links are bounded`() {
        let tracer = SpanTracer(ratio: 1)
        let span = tracer.startSpan("webhook", context: .topLevel, ofKind: .producer)
        for number in 1...100 {
            let cause = TraceContext(traceHigh: 0, traceLow: UInt64(number), span: 1, isSampled: true)
            span.addLink(SpanLink(context: context(cause), attributes: [:]))
        }
        span.end()
        #expect(tracer.take(1).spans.first?.links.count == 32)
    }

    @Test func `a collector is told in the JSON of OTLP`() throws {
        var span = FinishedSpan(
            name: "POST \"broadcast\"", context: Self.parent, parent: 9, kind: .server,
            start: 1_700_000_000_000_000_001, end: 1_700_000_000_000_000_002)
        span.attributes = [
            .init(name: "a", value: .text("x\n")), .init(name: "b", value: .number(.max)),
            .init(name: "c", value: .flag(true)),
        ]
        span.links = [Self.parent]
        span.failure = "broken"
        let body = OTLPBody(resource: [.init(name: "service.name", value: .text("martlet"))], version: "1")
            .encode([span, span])
        let root = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let resource = try #require((root["resourceSpans"] as? [[String: Any]])?.first)
        let scope = try #require((resource["scopeSpans"] as? [[String: Any]])?.first)
        let spans = try #require(scope["spans"] as? [[String: Any]])
        #expect(spans.count == 2)
        let told = try #require(spans.first)
        #expect(told["traceId"] as? String == "00000000000000010000000000000002")
        #expect(
            told["spanId"] as? String == "0000000000000003" && told["parentSpanId"] as? String == "0000000000000009")
        #expect(told["kind"] as? Int == 2 && told["name"] as? String == "POST \"broadcast\"")
        #expect(told["startTimeUnixNano"] as? String == "1700000000000000001")
        #expect((told["status"] as? [String: Any])?["code"] as? Int == 2)
        let attributes = try #require(told["attributes"] as? [[String: Any]])
        #expect((attributes[1]["value"] as? [String: Any])?["intValue"] as? String == "9223372036854775807")
        #expect((told["links"] as? [[String: Any]])?.count == 1)
    }
}
