import Hummingbird

/// A call of Pusher's HTTP API, as its path says it: `/apps/{appId}/…`.
struct PusherCall: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        case events
        case batchEvents
        case channels
        case channel(String)
        case users(channel: String)
        case terminateConnections(user: String)
    }

    /// The header field under which a repeated request is known again, in small letters.
    static let idempotencyField = "idempotency-key"

    /// Nil where the path names none: Pusher's library for Python leaves it out of one call.
    let app: String?
    let action: Action

    /// Nil where there is nothing under this path.
    init?(segments: [String]) {
        switch segments.first {
        case "apps" where segments.count > 2 && !segments[1].isEmpty:
            guard let action = Action(segments.dropFirst(2)) else { return nil }
            (app, self.action) = (segments[1], action)
        case "users":
            guard let action = Action(segments[...]) else { return nil }
            (app, self.action) = (nil, action)
        case _: return nil
        }
    }

    var methods: [Route.Method] {
        switch action {
        case .events, .batchEvents, .terminateConnections: [.post]
        case .channels, .channel, .users: [.get, .head]
        }
    }

    /// What stands for it in metrics.
    var name: String {
        switch action {
        case .events: "/apps/{appId}/events"
        case .batchEvents: "/apps/{appId}/batch_events"
        case .channels: "/apps/{appId}/channels"
        case .channel: "/apps/{appId}/channels/{channel}"
        case .users: "/apps/{appId}/channels/{channel}/users"
        case .terminateConnections: "/apps/{appId}/users/{userId}/terminate_connections"
        }
    }

    /// What an audit takes it for.
    var scope: APIScope {
        switch action {
        case .events, .batchEvents: .broadcast
        case .channels, .channel, .users: .read
        case .terminateConnections: .moderate
        }
    }

    /// The channel or the user that the path names.
    var whom: String? {
        switch action {
        case .events, .batchEvents, .channels: nil
        case .channel(let name), .users(let name), .terminateConnections(let name): name
        }
    }
}

extension PusherCall.Action {
    /// - Parameter segments: those behind the app.
    fileprivate init?(_ segments: ArraySlice<String>) {
        switch Array(segments) {
        case ["events"]: self = .events
        case ["batch_events"]: self = .batchEvents
        case ["channels"]: self = .channels
        case let path where path.count == 2 && path[0] == "channels" && !path[1].isEmpty: self = .channel(path[1])
        case let path where path.count == 3 && path[0] == "channels" && !path[1].isEmpty && path[2] == "users":
            self = .users(channel: path[1])
        case let path where path.count == 3 && path[0] == "users" && path[2] == "terminate_connections":
            guard !path[1].isEmpty else { return nil }
            self = .terminateConnections(user: path[1])
        case _: return nil
        }
    }
}
