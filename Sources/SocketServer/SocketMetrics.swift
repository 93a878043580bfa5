import GatewayCore
import Metrics

/// The client port's metrics; the counters are made once, since making one takes a lock and a search.
final class SocketMetrics: Sendable {
    /// A reason why a request for a WebSocket was refused.
    enum Refusal: String, CaseIterable, Sendable {
        case malformed, timeout, tls, origin, version, subprotocol, draining, full, flooded, banned, misdirected
        /// It was one too many of those that nobody has vouched for.
        case strangers
        case address = "address_limit"
        case path = "not_found"
    }

    let accepted: Counter
    let framesIn: Counter
    let bytesOut: Counter
    let messagesDelivered: Counter
    /// Messages that a loop too far behind has replaced by a gap.
    let messagesGivenUp: Counter
    /// Frames that waited for credit, and requests refused since there was none.
    let budgetWaits: Counter
    let budgetRefusals: Counter
    /// Signals whose receiver did not read what it was sent before.
    let signalsDropped: Counter
    let connections: Gauge
    /// Of these, clients without a user that speak the gateway's own dialect.
    let guests: Gauge
    /// From the accept to the welcome.
    let connect: Timer
    /// Of a message that this node delivers: from Redis's clock, and from its arrival, until it is written to the members of
    /// one loop, by turns each loop's.
    let publishToDeliver: Timer
    let fanout: Timer
    /// How late the ticks of the loops come.
    let loopLag: Timer
    let dialects: DialectMetrics
    private let resumed: Counter
    private let missed: [SessionMiss: Counter]
    private let slow: [SlowOutcome: Counter]
    private let refused: [Refusal: Counter]
    private let closed: [CloseReason: Counter]
    private let closedByClient: Counter
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        dialects = DialectMetrics(factory: factory)
        accepted = Counter(label: "martlet_sockets_accepted_total", factory: factory)
        framesIn = Counter(label: "martlet_socket_frames_received_total", factory: factory)
        bytesOut = Counter(label: "martlet_socket_bytes_sent_total", factory: factory)
        messagesDelivered = Counter(label: "martlet_messages_delivered_total", factory: factory)
        messagesGivenUp = Counter(label: "martlet_messages_given_up_total", factory: factory)
        budgetWaits = Counter(label: "martlet_budget_waits_total", factory: factory)
        budgetRefusals = Counter(label: "martlet_budget_refusals_total", factory: factory)
        signalsDropped = Counter(label: "martlet_signals_dropped_total", factory: factory)
        slow = Dictionary(
            uniqueKeysWithValues: SlowOutcome.allCases.map {
                let labels = [("outcome", $0.rawValue)]
                return ($0, Counter(label: "martlet_slow_connections_total", dimensions: labels, factory: factory))
            })
        connections = Gauge(label: "martlet_connections", factory: factory)
        guests = Gauge(label: "martlet_guests", factory: factory)
        func timer(_ name: String) -> Timer { Timer(label: name, dimensions: [], factory: factory) }
        connect = timer("martlet_connect_seconds")
        publishToDeliver = timer("martlet_publish_to_deliver_seconds")
        fanout = timer("martlet_fanout_seconds")
        loopLag = timer("martlet_event_loop_lag_seconds")
        func resumes(_ result: String) -> Counter {
            Counter(label: "martlet_resumes_total", dimensions: [("result", result)], factory: factory)
        }
        resumed = resumes("resumed")
        missed = Dictionary(uniqueKeysWithValues: SessionMiss.allCases.map { ($0, resumes($0.rawValue)) })
        refused = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.map {
                let labels = [("reason", $0.rawValue)]
                return ($0, Counter(label: "martlet_handshakes_refused_total", dimensions: labels, factory: factory))
            })
        closed = Dictionary(
            uniqueKeysWithValues: CloseReason.allCases.map {
                let labels = [("code", String($0.code))]
                return ($0, Counter(label: "martlet_connections_closed_total", dimensions: labels, factory: factory))
            })
        closedByClient = Counter(
            label: "martlet_connections_closed_total", dimensions: [("code", "client")], factory: factory)
    }

    /// The outcome for a connection that reads too slowly.
    enum SlowOutcome: String, CaseIterable, Sendable {
        /// Its rooms are fed from the log at its own pace.
        case fedFromLog = "fed_from_log"
        /// Closed: it left what waited untaken for too long.
        case tookNothing = "took_nothing"
        /// Closed: answers and the like came to more than may wait.
        case tooMuch = "too_much"
        /// Closed: the node held too much, and most of it for this one.
        case overBudget = "over_budget"
    }

    func count(_ outcome: SlowOutcome) {
        slow[outcome]?.increment()
    }

    /// Made once for each loop.
    func longestTurn(ofLoop number: Int) -> Gauge {
        Gauge(
            label: "martlet_event_loop_turn_seconds_max", dimensions: [("loop", String(number))], factory: factory)
    }

    /// Made once for each loop.
    func worstQueue(ofLoop number: Int) -> Gauge {
        Gauge(
            label: "martlet_outbound_queue_worst_bytes", dimensions: [("loop", String(number))], factory: factory)
    }

    /// A client has gone on with the session of an earlier connection, or could not; any thread.
    func came(to registration: Registration) {
        if registration.resumed != nil { resumed.increment() }
        if let miss = registration.missed { count(miss) }
    }

    func count(_ miss: SessionMiss) {
        missed[miss]?.increment()
    }

    func refuse(_ reason: Refusal) {
        refused[reason]?.increment()
    }

    /// - Parameters:
    ///   - reason: nil where the client ended the connection, with a close frame or without.
    ///   - code: what went over the wire for it.
    func close(_ reason: CloseReason?, code: UInt16? = nil, of dialect: ClientDialect = .native) {
        dialects.close(reason.map { code ?? $0.code }, of: dialect)
        guard let reason else { return closedByClient.increment() }
        closed[reason]?.increment()
    }
}
