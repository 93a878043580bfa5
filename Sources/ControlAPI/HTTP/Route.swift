import Hummingbird

/// Everything the api port answers.
enum Route: Hashable, Sendable {
    typealias Method = HTTPRequest.Method

    case broadcast
    case broadcastBatch
    case users
    case user(String)
    case usersQuery
    case userDisconnect(String)
    case userBan(String)
    case userRefresh(String)
    case connectionDisconnect(String)
    case turn
    case rooms
    case room(String)
    case members(room: String)
    case member(String, room: String)
    case roomBan(String, room: String)
    case roomMute(String, room: String)
    case messages(room: String)
    case message(room: String, seq: String)
    case nodes
    case stats
    case webhooks
    case webhooksReplay
    case top
    case calls
    case addressBans
    case health
    case readiness
    case metrics
    case openAPI
    case page(ConsolePage)
    case consoleConfiguration
    case pusher(PusherCall)

    /// Nil where there is nothing under this path. The method counts only where a user's name and a word of ours could both
    /// be meant.
    init?(segments: [String], method: HTTPRequest.Method) {
        switch segments {
        case ["v1", "broadcast"]: self = .broadcast
        case ["v1", "broadcast", "batch"]: self = .broadcastBatch
        case ["v1", "users"]: self = .users
        case ["v1", "users", "query"] where method == .post: self = .usersQuery
        case ["v1", "rooms"]: self = .rooms
        case ["v1", "nodes"]: self = .nodes
        case ["v1", "stats"]: self = .stats
        case ["v1", "webhooks"]: self = .webhooks
        case ["v1", "webhooks", "replay"]: self = .webhooksReplay
        case ["v1", "top"]: self = .top
        case ["v1", "calls"]: self = .calls
        case ["v1", "turn"]: self = .turn
        case ["v1", "addresses", "bans"]: self = .addressBans
        case ["healthz"]: self = .health
        case ["readyz"]: self = .readiness
        case ["metrics"]: self = .metrics
        case ["openapi.yaml"]: self = .openAPI
        case ["console"]: self = .page(.document)
        case ["console", "call"]: self = .page(.call)
        case ["console", "config.json"]: self = .consoleConfiguration
        default:
            if segments.count == 2, segments[0] == "console", let page = ConsolePage(rawValue: segments[1]),
                page != .document, page != .call
            {
                self = .page(page)
                return
            }
            guard segments.first == "v1" else {
                guard let call = PusherCall(segments: segments) else { return nil }
                self = .pusher(call)
                return
            }
            guard let route = Route(named: segments.dropFirst()) else { return nil }
            self = route
        }
    }

    /// A route with a name in it: `users/{userId}`, `rooms/{roomId}/members`.
    private init?(named segments: ArraySlice<String>) {
        guard let list = segments.first, let name = segments.dropFirst().first, !name.isEmpty else { return nil }
        switch (list, segments.dropFirst(2)) {
        case ("users", []): self = .user(name)
        case ("users", ["disconnect"]): self = .userDisconnect(name)
        case ("users", ["ban"]): self = .userBan(name)
        case ("users", ["refresh"]): self = .userRefresh(name)
        case ("connections", ["disconnect"]): self = .connectionDisconnect(name)
        case ("rooms", []): self = .room(name)
        case ("rooms", ["members"]): self = .members(room: name)
        case ("rooms", ["messages"]): self = .messages(room: name)
        case ("rooms", let rest) where rest.count == 2 && rest.last?.isEmpty == false:
            let part = rest[rest.index(after: rest.startIndex)]
            switch rest[rest.startIndex] {
            case "members": self = .member(part, room: name)
            case "bans": self = .roomBan(part, room: name)
            case "mutes": self = .roomMute(part, room: name)
            case "messages": self = .message(room: name, seq: part)
            default: return nil
            }
        default: return nil
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .broadcast, .broadcastBatch, .usersQuery, .userDisconnect, .userRefresh, .connectionDisconnect, .turn,
            .webhooksReplay:
            [.post]
        case .userBan, .message: [.delete]
        case .user: [.get, .head, .delete]
        case .users, .rooms, .messages, .nodes, .stats, .webhooks, .top, .calls, .health, .readiness,
            .metrics, .openAPI, .page, .consoleConfiguration:
            [.get, .head]
        case .addressBans: [.get, .head, .put, .delete]
        case .room: [.get, .head, .put, .patch, .delete]
        case .members: [.get, .head, .post]
        case .member, .roomBan, .roomMute: [.put, .delete]
        case .pusher(let call): call.methods
        }
    }

    /// Whether it is for whoever signs with an app's secret, and is refused in plain text, as Pusher's libraries show it.
    var isPusher: Bool {
        if case .pusher = self { true } else { false }
    }

    /// What stands for it in metrics: one of few, whatever names a path holds.
    var name: String {
        switch self {
        case .broadcast: "/v1/broadcast"
        case .broadcastBatch: "/v1/broadcast/batch"
        case .users: "/v1/users"
        case .user: "/v1/users/{userId}"
        case .usersQuery: "/v1/users/query"
        case .userDisconnect: "/v1/users/{userId}/disconnect"
        case .userBan: "/v1/users/{userId}/ban"
        case .userRefresh: "/v1/users/{userId}/refresh"
        case .connectionDisconnect: "/v1/connections/{connectionId}/disconnect"
        case .turn: "/v1/turn"
        case .rooms: "/v1/rooms"
        case .room: "/v1/rooms/{roomId}"
        case .members: "/v1/rooms/{roomId}/members"
        case .member: "/v1/rooms/{roomId}/members/{userId}"
        case .roomBan: "/v1/rooms/{roomId}/bans/{userId}"
        case .roomMute: "/v1/rooms/{roomId}/mutes/{userId}"
        case .messages: "/v1/rooms/{roomId}/messages"
        case .message: "/v1/rooms/{roomId}/messages/{seq}"
        case .nodes: "/v1/nodes"
        case .stats: "/v1/stats"
        case .webhooks: "/v1/webhooks"
        case .webhooksReplay: "/v1/webhooks/replay"
        case .top: "/v1/top"
        case .calls: "/v1/calls"
        case .addressBans: "/v1/addresses/bans"
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .metrics: "/metrics"
        case .openAPI: "/openapi.yaml"
        case .page, .consoleConfiguration: "/console"
        case .pusher(let call): call.name
        }
    }
}

// MARK: - What a key must open

extension Route {
    /// What a call may reach, as far as its path says.
    enum Reach: Hashable, Sendable {
        /// This room, whatever kind it is of.
        case room(String)
        /// What the body names.
        case body
        case everything
    }

    /// What a key needs for it; nil where none is asked for.
    func scope(of method: Method) -> APIScope? {
        switch self {
        case .broadcast, .broadcastBatch, .turn: .broadcast
        case .users, .usersQuery, .rooms, .messages, .nodes, .stats, .webhooks, .top: .read
        case .user: method == .delete ? .admin : .read
        case .userDisconnect, .userBan, .userRefresh, .connectionDisconnect, .message, .member, .roomBan, .roomMute:
            .moderate
        case .members: method == .get || method == .head ? .read : .moderate
        case .room, .addressBans: method == .get || method == .head ? .read : .moderate
        case .webhooksReplay, .calls: .admin
        case .health, .readiness, .metrics, .openAPI, .page, .consoleConfiguration: nil
        case .pusher(let call): call.scope
        }
    }

    var reach: Reach {
        switch self {
        case .broadcast, .broadcastBatch: .body
        case .room(let name), .members(let name), .messages(let name), .message(let name, _), .member(_, let name),
            .roomBan(_, let name), .roomMute(_, let name):
            .room(name)
        case .users, .user, .usersQuery, .userDisconnect, .userBan, .userRefresh, .connectionDisconnect, .turn, .rooms,
            .nodes, .stats,
            .webhooks, .webhooksReplay, .top, .calls, .addressBans, .health, .readiness, .metrics, .openAPI, .page,
            .consoleConfiguration, .pusher:
            .everything
        }
    }

    /// Whom the path names: a room, a user, a user in a room, a message or a connection; nil where it names none.
    var whom: String? {
        switch self {
        case .room(let name), .members(let name), .messages(let name), .user(let name), .userDisconnect(let name),
            .userBan(let name), .userRefresh(let name), .connectionDisconnect(let name):
            name
        case .member(let user, let room), .roomBan(let user, let room), .roomMute(let user, let room):
            "\(user) in \(room)"
        case .message(let room, let seq): "\(room) seq \(seq)"
        case .pusher(let call): call.whom
        case .broadcast, .broadcastBatch, .turn, .users, .usersQuery, .rooms, .nodes, .stats, .webhooks,
            .webhooksReplay,
            .top, .calls, .addressBans, .health, .readiness, .metrics, .openAPI, .page, .consoleConfiguration:
            nil
        }
    }
}
