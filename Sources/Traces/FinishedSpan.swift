import GatewayCore
import Tracing

/// A span that has ended, as it is told to a collector.
package struct FinishedSpan: Sendable, Equatable {
    package var name: String
    package var context: TraceContext
    /// Nil at the top.
    package var parent: UInt64?
    package var kind: SpanKind
    /// Nanoseconds since 1970.
    package var start: UInt64
    package var end: UInt64
    package var attributes: [Attribute] = []
    package var links: [TraceContext] = []
    /// Why it failed; nil where it did not.
    package var failure: String?

    package struct Attribute: Sendable, Equatable {
        package var name: String
        package var value: Value

        package init(name: String, value: Value) {
            self.name = name
            self.value = value
        }

        package enum Value: Sendable, Equatable {
            case text(String)
            case number(Int64)
            case flag(Bool)
        }
    }

    package init(name: String, context: TraceContext, parent: UInt64?, kind: SpanKind, start: UInt64, end: UInt64) {
        self.name = name
        self.context = context
        self.parent = parent
        self.kind = kind
        self.start = start
        self.end = end
    }
}

/// Spans that wait for being sent: so many at most, then the newest are lost and counted.
///
/// Pure.
package struct SpanQueue: Sendable {
    package let capacity: Int
    package private(set) var lost = 0
    private var spans: [FinishedSpan] = []

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { spans.count }

    /// Answers false where it is full.
    package mutating func append(_ span: FinishedSpan) -> Bool {
        guard spans.count < capacity else {
            lost += 1
            return false
        }
        spans.append(span)
        return true
    }

    /// The oldest, and how many were lost since the last time.
    package mutating func take(_ most: Int) -> (spans: [FinishedSpan], lost: Int) {
        let taken = Array(spans.prefix(most))
        spans.removeFirst(taken.count)
        defer { lost = 0 }
        return (taken, lost)
    }
}
