import GatewayCore
import NIOHTTP1

/// The rules of one connection of the api port (RFC 9112, section 9), whatever handles its requests: one request at a
/// time, in their order, and nothing behind a close.
///
/// Inputs are what the client sends, what is answered, and the time; it does no I/O.
package struct HTTPConnectionRules: Sendable {
    /// The times that a connection may take for its parts.
    package struct Times: Sendable {
        /// From the opening to the end of the first head.
        package var head: Duration
        /// From one answer to the end of the next head.
        package var idle: Duration
        /// From the end of a head to the end of its body; and for an answer, without taking a byte of it.
        package var body: Duration
        /// From the last answer to the end of a client that goes on sending: closing at once would reset the connection,
        /// and the answer could be lost with it (RFC 9112, section 9.6).
        package var linger: Duration

        package init(head: Duration, idle: Duration, body: Duration, linger: Duration = .seconds(2)) {
            self.head = head
            self.idle = idle
            self.body = body
            self.linger = linger
        }
    }

    /// The treatment of a part of a request.
    package enum Fate: Hashable, Sendable {
        case passed
        /// Until the answers before it have been taken.
        case queued
        case dropped
    }

    package enum Part: Hashable, Sendable {
        case head, body, end
    }

    /// The step that follows an answer that was taken.
    package enum Sequel: Hashable, Sendable {
        case nextRequest
        /// Our side of the connection ends; what the client still sends is thrown away.
        case end
    }

    /// The word of an answer's head on whether another request may follow (RFC 9112, section 9.3).
    package enum Persistence: Hashable, Sendable {
        /// It may, and the client takes that for granted.
        case usual
        /// It may, and the client has to be told.
        case keptAlive
        case closed
    }

    /// One request and its answer.
    private struct Exchange {
        var persists: Bool
        let isHTTP10: Bool
        /// Whether the request has come to its end.
        var isWhole = false
        var awaitsContinue: Bool
        var hasAnswer = false
    }

    private enum Phase {
        case waiting
        case serving(Exchange)
        /// All of the answer is written, and the client has yet to take it.
        case delivering(Exchange)
        case ending
    }

    private let times: Times
    private var phase = Phase.waiting
    private var isFirst = true
    private var isDraining = false
    /// When the phase began, or its last progress was.
    private var since: MonotonicTime
    private var unsentBytes = Int.max

    package init(times: Times, now: MonotonicTime) {
        self.times = times
        since = now
    }

    package func fate(of part: Part) -> Fate {
        switch phase {
        case .waiting: part == .head ? .passed : .dropped
        case .serving(let exchange): exchange.isWhole ? .queued : .passed
        case .delivering(let exchange): exchange.isWhole ? .queued : .dropped
        case .ending: .dropped
        }
    }

    /// A request begins; the fate of its head was `passed`.
    package mutating func received(_ head: HTTPRequestHead, now: MonotonicTime) {
        begin(
            Exchange(
                persists: head.persists, isHTTP10: head.version == .http1_0,
                awaitsContinue: head.version != .http1_0 && head.expectsContinue && head.announcesBody),
            now: now)
    }

    /// In the place of a request comes what is none: it is answered, and is the last.
    package mutating func receivedGarbage(now: MonotonicTime) {
        begin(Exchange(persists: false, isHTTP10: false, isWhole: true, awaitsContinue: false), now: now)
    }

    private mutating func begin(_ exchange: Exchange, now: MonotonicTime) {
        guard case .waiting = phase else { preconditionFailure("a request before the last one's end: \(phase)") }
        phase = .serving(exchange)
        isFirst = false
        since = now
    }

    /// A part of the present request's body was passed: whoever sends it does not wait to be asked.
    package mutating func receivedBody() {
        guard case .serving(var exchange) = phase else { return }
        exchange.awaitsContinue = false
        phase = .serving(exchange)
    }

    package mutating func receivedEnd() {
        guard case .serving(var exchange) = phase else { return }
        exchange.awaitsContinue = false
        exchange.isWhole = true
        phase = .serving(exchange)
    }

    /// Somebody is about to read the body; whether the client is to be told 100 (RFC 9110, section 10.1.1).
    package mutating func bodyIsWanted() -> Bool {
        guard case .serving(var exchange) = phase, exchange.awaitsContinue, !exchange.hasAnswer else { return false }
        exchange.awaitsContinue = false
        phase = .serving(exchange)
        return true
    }

    /// The head of an answer as it goes out; nil where there is nothing to be answered.
    package mutating func answering(_ head: HTTPResponseHead) -> HTTPResponseHead? {
        guard case .serving(let exchange) = phase, !exchange.hasAnswer else { return nil }
        if (100..<200).contains(head.status.code) { return head }
        // Its end is the connection's: such a client knows no chunks.
        let endsWithConnection =
            exchange.isHTTP10 && !head.headers.contains(name: "content-length") && head.status.mayHaveResponseBody
        let isLast = endsWithConnection || head.headers.lists("close", in: "connection")
        guard let persistence = answering(isLast: isLast) else { return nil }
        var head = head
        if endsWithConnection { head.version = .http1_0 }
        switch persistence {
        case .usual: break
        case .keptAlive: head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        case .closed: head.headers.replaceOrAdd(name: "Connection", value: "close")
        }
        return head
    }

    /// An answer begins that says how long it is; nil where there is nothing to be answered.
    ///
    /// - Parameter isLast: whether whoever answers wants nothing to follow.
    package mutating func answering(isLast: Bool) -> Persistence? {
        guard case .serving(var exchange) = phase, !exchange.hasAnswer else { return nil }
        exchange.hasAnswer = true
        if isDraining || !exchange.isWhole || isLast { exchange.persists = false }
        phase = .serving(exchange)
        guard exchange.persists else { return .closed }
        return exchange.isHTTP10 ? .keptAlive : .usual
    }

    /// Whether more of an answer that has begun may follow.
    package var isAnswering: Bool {
        if case .serving(let exchange) = phase { exchange.hasAnswer } else { false }
    }

    /// All of the answer is written.
    package mutating func answered(now: MonotonicTime) {
        guard case .serving(let exchange) = phase else { return }
        phase = .delivering(exchange)
        since = now
        unsentBytes = .max
    }

    /// Whoever answers has nothing to say after this answer. False where the connection may end at once.
    package mutating func finishes() -> Bool {
        switch phase {
        case .waiting, .serving: return false
        case .delivering(var exchange):
            exchange.persists = false
            phase = .delivering(exchange)
            return true
        case .ending: return true
        }
    }

    /// The system has taken all of the answer.
    package mutating func delivered(now: MonotonicTime) -> Sequel? {
        guard case .delivering(let exchange) = phase else { return nil }
        since = now
        if exchange.persists, !isDraining {
            phase = .waiting
            return .nextRequest
        }
        phase = .ending
        return .end
    }

    /// The server ends: what is under way is answered. True where the connection can be closed at once.
    package mutating func drain() -> Bool {
        isDraining = true
        if case .waiting = phase { return true }
        return false
    }

    package var isEnding: Bool {
        if case .ending = phase { true } else { false }
    }

    /// Whether it may be closed in favour of another: no request is being served, nor half received.
    package var mayGiveWay: Bool {
        switch phase {
        case .waiting, .delivering, .ending: true
        case .serving: false
        }
    }

    /// Whether the present request has not come to its end; what goes wrong in it concerns whoever serves it.
    package var isReceiving: Bool {
        if case .serving(let exchange) = phase { !exchange.isWhole } else { false }
    }

    /// When `hitDeadline` is to be called; nil while an answer is being thought out.
    package var deadline: MonotonicTime? {
        switch phase {
        case .waiting: since + (isFirst ? times.head : times.idle)
        case .serving(let exchange): exchange.isWhole ? nil : since + times.body
        case .delivering: since + times.body
        case .ending: since + times.linger
        }
    }

    /// Whether the connection is to be closed.
    ///
    /// - Parameter unsentBytes: what the system has yet to take: a client that takes anything is given more time.
    package mutating func hitDeadline(unsentBytes: Int, now: MonotonicTime) -> Bool {
        guard let deadline, deadline <= now else { return false }
        if case .delivering = phase, unsentBytes < self.unsentBytes {
            self.unsentBytes = unsentBytes
            since = now
            return false
        }
        return true
    }
}
