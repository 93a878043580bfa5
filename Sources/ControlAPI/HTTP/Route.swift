import Hummingbird

/// Everything the api port answers.
enum Route: Hashable, Sendable {
    case broadcast
    case broadcastBatch
    case messages(room: String)
    case nodes
    case health
    case readiness
    case metrics
    case openAPI
    case page(ConsolePage)
    case consoleConfiguration

    /// Nil where there is nothing under this path.
    init?(segments: [String]) {
        switch segments {
        case ["v1", "broadcast"]: self = .broadcast
        case ["v1", "broadcast", "batch"]: self = .broadcastBatch
        case ["v1", "nodes"]: self = .nodes
        case ["healthz"]: self = .health
        case ["readyz"]: self = .readiness
        case ["metrics"]: self = .metrics
        case ["openapi.yaml"]: self = .openAPI
        case ["console"]: self = .page(.document)
        case ["console", "console.js"]: self = .page(.script)
        case ["console", "console.css"]: self = .page(.style)
        case ["console", "config.json"]: self = .consoleConfiguration
        default:
            guard segments.count == 4, segments[0] == "v1", segments[1] == "rooms", segments[3] == "messages" else {
                return nil
            }
            self = .messages(room: segments[2])
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .broadcast, .broadcastBatch: [.post]
        case .messages, .nodes, .health, .readiness, .metrics, .openAPI, .page, .consoleConfiguration: [.get, .head]
        }
    }

    /// What stands for it in metrics: one of few, whatever names a path holds.
    var name: String {
        switch self {
        case .broadcast: "/v1/broadcast"
        case .broadcastBatch: "/v1/broadcast/batch"
        case .messages: "/v1/rooms/{roomId}/messages"
        case .nodes: "/v1/nodes"
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .metrics: "/metrics"
        case .openAPI: "/openapi.yaml"
        case .page, .consoleConfiguration: "/console"
        }
    }
}
