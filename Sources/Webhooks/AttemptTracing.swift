import GatewayCore
import Traces
import Tracing

/// A span for each attempt to hand a batch over: within the trace that its events were caused in. Where they are of several,
/// it is within the first that is written down, with a link to each of the others.
struct AttemptTracing: Sendable {
    /// Nil where no spans are made; a batch then hands on the trace that it would be within.
    let tracer: (any Tracer)?
    /// Its name, since a URL may hold secrets.
    let receiver: String

    func trace(
        _ events: [LedgerEvent], _ attempt: (_ traceparent: String?) async -> LaneBoard.Answer
    ) async -> LaneBoard.Answer {
        let parent = AttemptTracing.parent(of: events)
        guard let tracer else { return await attempt(parent?.text) }
        var context = ServiceContext.topLevel
        context.trace = parent
        let span = tracer.startSpan("webhook", context: context, ofKind: .producer)
        for trace in Set(events.compactMap(\.trace)) where trace != parent {
            var cause = ServiceContext.topLevel
            cause.trace = trace
            span.addLink(SpanLink(context: cause, attributes: [:]))
        }
        let answer = await attempt(span.context.trace?.text)
        span.updateAttributes { attributes in
            attributes["martlet.webhook.receiver"] = receiver
            attributes["martlet.webhook.events"] = events.count
        }
        if case .failed(let reason) = answer { span.setStatus(SpanStatus(code: .error, message: reason)) }
        span.end()
        return answer
    }

    /// Events without a trace do not count; nil where none has one.
    static func parent(of events: [LedgerEvent]) -> TraceContext? {
        let traces = events.compactMap(\.trace)
        return traces.first(where: \.isSampled) ?? traces.first
    }
}
