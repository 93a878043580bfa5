import GatewayCore
import Hummingbird
import Traces
import Tracing

/// The traces that requests belong to: a caller's, by `traceparent`, and a span of our own where spans are made.
struct RequestTracing: Sendable {
    /// Nil where no spans are made.
    let tracer: (any Tracer)?

    /// One request within a trace.
    struct Trace: Sendable {
        let context: ServiceContext
        fileprivate let span: (any Span)?

        func run<Value>(_ body: () async throws -> Value) async rethrows -> Value {
            try await ServiceContext.$current.withValue(context) { try await body() }
        }

        /// - Parameter route: nil where there is nothing.
        func end(_ route: Route?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status) {
            guard let span, span.isRecording else { return }
            let isKnown = route?.methods.contains(method) ?? false
            let method = isKnown ? method.rawValue : "_OTHER"
            span.operationName = "\(method) \(route?.name ?? "other")"
            span.updateAttributes { attributes in
                attributes["http.request.method"] = method
                attributes["http.response.status_code"] = status.code
                if let route { attributes["http.route"] = route.name }
            }
            if status.code >= 500 { span.setStatus(SpanStatus(code: .error)) }
            span.end()
        }
    }

    /// Nil where nobody wants to know: such a request costs no more than the look at its fields.
    func begin(_ traceparent: String?) -> Trace? {
        let parent = traceparent.flatMap { TraceContext($0) }
        guard parent != nil || tracer != nil else { return nil }
        var context = ServiceContext.topLevel
        (context.trace, context.cause) = (parent, parent)
        guard let tracer else { return Trace(context: context, span: nil) }
        let span = tracer.startSpan("HTTP", context: context, ofKind: .server)
        context = span.context
        if parent == nil, span.isRecording { context.cause = context.trace }
        return Trace(context: context, span: span)
    }
}

extension RequestTracing.Trace? {
    /// As above; where there is none, at once.
    func run<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        guard let self else { return try await body() }
        return try await self.run(body)
    }
}
