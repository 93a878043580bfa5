import Foundation
import MartletClient
import Synchronization
import TestKit

/// A backend that decides about clients: who they are by their token, and what it is told to answer of them.
final class AskedBackend: Sendable {
    private struct State {
        /// By user; without any: a yes.
        var answers: [String: HookServer.Reply] = [:]
        var others: HookServer.Reply?
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    static let secret = "0123456789abcdef0123456789abcdef"

    let server: HookServer
    private let shared: Shared

    static func start(port: Int = 0) async throws -> AskedBackend {
        let shared = Shared()
        let server = try await HookServer.start(port: port) { _, body in
            let fields = (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
            let cookie = (fields["headers"] as? [String: String])?["Cookie"]?.split(separator: "=").last
            let name = fields["token"] as? String ?? fields["userId"] as? String ?? cookie.map(String.init)
            return shared.state.withLock { state in
                guard let name else { return state.others ?? .text(#"{"allow":false,"code":"unauthorized"}"#) }
                return state.answers[name] ?? state.others ?? .text(#"{"allow":true,"userId":"\#(name)"}"#)
            }
        }
        return AskedBackend(server, shared)
    }

    private init(_ server: HookServer, _ shared: Shared) {
        self.server = server
        self.shared = shared
    }

    /// From here on this is what is answered about a user, in whatever action; nil: a yes.
    func answer(_ reply: HookServer.Reply?, about user: String) {
        shared.state.withLock { $0.answers[user] = reply }
    }

    /// The same for all users of whom nothing else was said.
    func answer(_ reply: HookServer.Reply?) { shared.state.withLock { $0.others = reply } }

    var requests: [HookServer.Request] { server.requests }

    func requests(_ action: String) -> [HookServer.Request] { requests.filter { $0.field("action") == action } }

    /// Variables of a node that asks it.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        [
            "MARTLET_AUTH_MODE": "hook", "MARTLET_HOOKS_AUTHORIZE_URL": server.url,
            "MARTLET_HOOKS_AUTHORIZE_SECRET": AskedBackend.secret,
        ].merging(others) { $1 }
    }
}

extension WireClient {
    /// A client with a token that the backend reads as its name, without waiting.
    static func shown(_ token: String, to node: NodeProcess) async throws -> WireClient {
        try await open(to: node.clientPort, as: token, query: "&token=\(token)")
    }

    /// How such a client is closed.
    static func end(of token: String, on node: NodeProcess) async throws -> WebSocketEnd {
        try await shown(token, to: node).ended()
    }

    /// One that is past `welcome`.
    static func letIn(_ token: String, to node: NodeProcess) async throws -> WireClient {
        let client = try await shown(token, to: node)
        try await client.frame("welcome")
        return client
    }
}
