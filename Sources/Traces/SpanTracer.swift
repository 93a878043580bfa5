import GatewayCore
import Synchronization
import Tracing

/// Makes spans of those calls whose callers ask for it, and of some of the others, and keeps them until they are sent.
package final class SpanTracer: Tracer {
    package typealias Span = RecordedSpan

    /// Of calls that come without a trace, so many are written down: 0 none, 1 all.
    private let ratio: Double
    private let queue: Mutex<SpanQueue>

    package init(ratio: Double, capacity: Int = 2_048) {
        self.ratio = ratio
        queue = Mutex(SpanQueue(capacity: capacity))
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context.trace
        let isSampled = parent?.isSampled ?? (ratio > 0 && Double.random(in: 0..<1) < ratio)
        let own = TraceContext(
            traceHigh: parent?.traceHigh ?? .random(in: .min ... .max),
            // Neither may be nothing but zeros.
            traceLow: parent?.traceLow ?? .random(in: 1 ... .max), span: .random(in: 1 ... .max), isSampled: isSampled)
        context.trace = own
        let span = FinishedSpan(
            name: operationName, context: own, parent: parent?.span, kind: kind,
            start: isSampled ? instant().nanosecondsSinceEpoch : 0, end: 0)
        return RecordedSpan(context, span, isSampled ? self : nil)
    }

    /// The oldest spans that wait, and how many found no place since the last time.
    package func take(_ most: Int) -> (spans: [FinishedSpan], lost: Int) { queue.withLock { $0.take(most) } }

    fileprivate func ended(_ span: FinishedSpan) { _ = queue.withLock { $0.append(span) } }

    @available(*, deprecated)
    package func forceFlush() {}

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let text = extractor.extract(key: "traceparent", from: carrier) else { return }
        context.trace = TraceContext(text)
    }

    package func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        if let trace = context.trace { injector.inject(trace.text, forKey: "traceparent", into: &carrier) }
    }
}

/// A span under way. One that nobody writes down only hands its trace on.
package final class RecordedSpan: Span {
    private struct State {
        var span: FinishedSpan
        var attributes: SpanAttributes = [:]
        var hasEnded = false
    }

    package let context: ServiceContext
    private let tracer: SpanTracer?
    private let state: Mutex<State>

    private static let maxLinks = 32

    fileprivate init(_ context: ServiceContext, _ span: FinishedSpan, _ tracer: SpanTracer?) {
        self.context = context
        self.tracer = tracer
        state = Mutex(State(span: span))
    }

    package var isRecording: Bool { tracer != nil && state.withLock { !$0.hasEnded } }

    package var operationName: String {
        get { state.withLock { $0.span.name } }
        set { change { $0.span.name = newValue } }
    }

    package var attributes: SpanAttributes {
        get { state.withLock { $0.attributes } }
        set { change { $0.attributes = newValue } }
    }

    package func setStatus(_ status: SpanStatus) {
        change { state in
            if case .error = status.code { state.span.failure = status.message ?? "" }
        }
    }

    package func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        change { $0.span.failure = "\(type(of: error))" }
    }

    /// What happens within a span is a span here.
    package func addEvent(_ event: SpanEvent) {}

    package func addLink(_ link: SpanLink) {
        guard let trace = link.context.trace else { return }
        change { if $0.span.links.count < RecordedSpan.maxLinks { $0.span.links.append(trace) } }
    }

    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let tracer else { return }
        let end = instant().nanosecondsSinceEpoch
        let span = state.withLock { state -> FinishedSpan? in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            // The clock of the day may have gone back.
            state.span.end = max(end, state.span.start)
            state.span.attributes = RecordedSpan.list(state.attributes)
            return state.span
        }
        if let span { tracer.ended(span) }
    }

    private func change(_ body: (inout State) -> Void) {
        guard tracer != nil else { return }
        state.withLock { if !$0.hasEnded { body(&$0) } }
    }

    private static func list(_ attributes: SpanAttributes) -> [FinishedSpan.Attribute] {
        var list: [FinishedSpan.Attribute] = []
        attributes.forEach { name, value in
            let value: FinishedSpan.Attribute.Value? =
                switch value {
                case .string(let text): .text(text)
                case .int64(let number): .number(number)
                case .int32(let number): .number(Int64(number))
                case .bool(let flag): .flag(flag)
                default: nil
                }
            if let value { list.append(.init(name: name, value: value)) }
        }
        return list.sorted { $0.name < $1.name }
    }
}
