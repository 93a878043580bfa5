import Dialects
import GatewayCore
import Metrics

/// The client port's counts apart for each dialect; beside the families that count all clients, whose lines stay as they are.
///
/// Loops count the other dialects' share alone: what is left of the whole is native, so that native clients cost nothing more.
struct DialectMetrics: Sendable {
    private let connections: [ClientDialect: Gauge]
    private let frames: [ClientDialect: Counter]
    private let delivered: [ClientDialect: Counter]
    /// By the code that went over the wire.
    private let closed: [ClientDialect: [UInt16: Counter]]
    private let closedByClient: [ClientDialect: Counter]

    init(factory: any MetricsFactory) {
        func each<Value>(_ make: (ClientDialect, [(String, String)]) -> Value) -> [ClientDialect: Value] {
            let all = ClientDialect.allCases.map { ($0, make($0, [("dialect", $0.rawValue)])) }
            return Dictionary(uniqueKeysWithValues: all)
        }
        connections = each { Gauge(label: "martlet_dialect_connections", dimensions: $1, factory: factory) }
        frames = each {
            Counter(label: "martlet_dialect_frames_received_total", dimensions: $1, factory: factory)
        }
        delivered = each {
            Counter(label: "martlet_dialect_messages_delivered_total", dimensions: $1, factory: factory)
        }
        func closes(_ dialect: [(String, String)], _ code: String) -> Counter {
            Counter(
                label: "martlet_dialect_connections_closed_total", dimensions: dialect + [("code", code)],
                factory: factory)
        }
        closed = each { dialect, labels in
            let codes = Set(DialectMetrics.codes(of: dialect))
            return Dictionary(uniqueKeysWithValues: codes.map { ($0, closes(labels, String($0))) })
        }
        closedByClient = each { closes($1, "client") }
    }

    private static func codes(of dialect: ClientDialect) -> [UInt16] {
        switch dialect {
        case .native: CloseReason.allCases.map(\.code)
        case .pusher: PusherDialect.closeCodes
        }
    }

    /// Of the whole node at this moment; `others` of `all` are apps' clients.
    func record(connections all: Int, others: Int) {
        connections[.native]?.record(all - others)
        connections[.pusher]?.record(others)
    }

    /// Of one loop since it last told.
    func count(frames all: Int, delivered: Int, others: Share) {
        frames[.native]?.increment(by: all - others.frames)
        frames[.pusher]?.increment(by: others.frames)
        self.delivered[.native]?.increment(by: delivered - others.delivered)
        self.delivered[.pusher]?.increment(by: others.delivered)
    }

    /// Nil where the client ended the connection.
    func close(_ code: UInt16?, of dialect: ClientDialect) {
        guard let code else { closedByClient[dialect]?.increment(); return }
        closed[dialect]?[code]?.increment()
    }

    /// What of a loop's counts is of apps' clients.
    struct Share {
        var frames = 0
        var delivered = 0
    }
}
