import Dialects
import GatewayCore
import Tracing

/// Spans as a collector takes them over HTTP: `ExportTraceServiceRequest` of opentelemetry-proto in its JSON form (OTLP
/// 1.x, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit numbers as text).
package struct OTLPBody: Sendable {
    /// What all spans are told to be of, such as `service.name`.
    package var resource: [FinishedSpan.Attribute]
    package var version: String

    package init(resource: [FinishedSpan.Attribute], version: String) {
        self.resource = resource
        self.version = version
    }

    package func encode(_ spans: [FinishedSpan]) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(256 + spans.count * 400)
        JSONWriter.append(#"{"resourceSpans":[{"resource":{"attributes":"#, to: &body)
        OTLPBody.append(resource, to: &body)
        JSONWriter.append(#"},"scopeSpans":[{"scope":{"name":"martlet","version":"#, to: &body)
        JSONWriter.append(string: version, to: &body)
        JSONWriter.append(#"},"spans":["#, to: &body)
        for (index, span) in spans.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &body) }
            OTLPBody.append(span, to: &body)
        }
        JSONWriter.append("]}]}]}", to: &body)
        return body
    }

    private static func append(_ span: FinishedSpan, to body: inout [UInt8]) {
        JSONWriter.append("{", to: &body)
        append(span.context, to: &body)
        if let parent = span.parent {
            var its = span.context
            its.span = parent
            JSONWriter.append(#","parentSpanId":"#, to: &body)
            JSONWriter.append(string: its.spanText, to: &body)
        }
        JSONWriter.append(#","name":"#, to: &body)
        JSONWriter.append(string: span.name, to: &body)
        JSONWriter.append(#","kind":"#, to: &body)
        JSONWriter.append(integer: number(of: span.kind), to: &body)
        JSONWriter.append(#","startTimeUnixNano":"#, to: &body)
        JSONWriter.append(string: String(span.start), to: &body)
        JSONWriter.append(#","endTimeUnixNano":"#, to: &body)
        JSONWriter.append(string: String(span.end), to: &body)
        JSONWriter.append(#","attributes":"#, to: &body)
        append(span.attributes, to: &body)
        if !span.links.isEmpty {
            JSONWriter.append(#","links":["#, to: &body)
            for (index, link) in span.links.enumerated() {
                JSONWriter.append(index > 0 ? ",{" : "{", to: &body)
                append(link, to: &body)
                JSONWriter.append("}", to: &body)
            }
            JSONWriter.append("]", to: &body)
        }
        if let failure = span.failure {
            JSONWriter.append(#","status":{"code":2,"message":"#, to: &body)
            JSONWriter.append(string: failure, to: &body)
            JSONWriter.append("}", to: &body)
        }
        JSONWriter.append("}", to: &body)
    }

    private static func append(_ context: TraceContext, to body: inout [UInt8]) {
        JSONWriter.append(#""traceId":"#, to: &body)
        JSONWriter.append(string: context.traceText, to: &body)
        JSONWriter.append(#","spanId":"#, to: &body)
        JSONWriter.append(string: context.spanText, to: &body)
    }

    private static func append(_ attributes: [FinishedSpan.Attribute], to body: inout [UInt8]) {
        JSONWriter.append("[", to: &body)
        for (index, attribute) in attributes.enumerated() {
            JSONWriter.append(index > 0 ? #",{"key":"# : #"{"key":"#, to: &body)
            JSONWriter.append(string: attribute.name, to: &body)
            switch attribute.value {
            case .text(let text):
                JSONWriter.append(#","value":{"stringValue":"#, to: &body)
                JSONWriter.append(string: text, to: &body)
            case .number(let number):
                JSONWriter.append(#","value":{"intValue":"#, to: &body)
                JSONWriter.append(string: String(number), to: &body)
            case .flag(let flag):
                JSONWriter.append(flag ? #","value":{"boolValue":true"# : #","value":{"boolValue":false"#, to: &body)
            }
            JSONWriter.append("}}", to: &body)
        }
        JSONWriter.append("]", to: &body)
    }

    /// `Span.SpanKind` of opentelemetry-proto.
    private static func number(of kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}
