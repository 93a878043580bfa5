import Dialects
import Foundation
import MartletClient
import TestKit
import TestSupport
import Testing

extension NodeProcess {
    /// A call that a Pusher backend has signed; no API key comes with it.
    func call(
        _ method: String, _ call: String, _ query: [String: String] = [:], _ body: String? = nil,
        by backend: PusherBackend = PusherBackendTests.backend, port: Int? = nil
    ) async throws -> HTTPAnswer {
        try await HTTPAnswer.fetch(
            port: port ?? apiPort, method: method, path: backend.target(method, call, query, body: body), body: body,
            headers: body == nil ? [] : [("Content-Type", "application/json")])
    }
}

@Suite("A backend of Pusher's and two nodes")
struct PusherBackendTests {
    static let backend = PusherBackend(id: "shop", key: "shop-key", secret: "a secret of the shop")
    private static let environment = Cluster.patience.merging(
        [
            "MARTLET_PUSHER_APP_ID": backend.id, "MARTLET_PUSHER_KEY": backend.key,
            "MARTLET_PUSHER_SECRET": backend.secret,
        ]) { $1 }

    private func socket(of user: String, _ cluster: Cluster) async throws -> String {
        let shown = try await cluster.nodes[0].request("GET", "/v1/users/\(user)").json
        let connections = try #require(shown?["connections"] as? [[String: Any]])
        let id = try #require(connections.first?["connectionId"] as? String)
        return try #require(PusherSocketID(connectionID: id)).description
    }

    @Test func `an event reaches members on both nodes under its name, but not the socket that is left out`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Self.environment)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        let bob = try await Participant.connect(to: cluster.nodes[1].clientURL, as: "bob")
        for one in [alice, bob] {
            _ = try await one.client.join("private-order,7;@=.")
            _ = try await one.client.join("plain")
        }
        let left = try await socket(of: "bob", cluster)
        let first = """
            {"name":"paid","data":"{\\"n\\": 1}","channels":["private-order,7;@=.","plain"],"socket_id":"\(left)"}
            """
        #expect(try await cluster.nodes[0].call("POST", "/events", [:], first).body == "{}")
        let events = (2...3).map { #"{"name":"n\#($0)","data":"\#($0)","channel":"plain"}"# }.joined(separator: ",")
        #expect(try await cluster.nodes[1].call("POST", "/batch_events", [:], #"{"batch":[\#(events)]}"#).status == 200)
        let inbox = ##"{"name":"hello","data":"you","channel":"#server-to-user-bob"}"##
        #expect(try await cluster.nodes[0].call("POST", "/events", [:], inbox).status == 200)
        for one in [alice, bob] { try await eventually("delivery") { one.latest(of: "plain") == 3 } }
        #expect(alice.payloads(of: "plain") == [#""{\"n\": 1}""#, #""2""#, #""3""#])
        #expect(alice.messages(of: "plain").map { $0.event ?? "" } == ["paid", "n2", "n3"])
        #expect(alice.messages(of: "plain").allSatisfy { $0.userId == "system" && $0.msgType == 1 })
        #expect(bob.messages(of: "plain").map { $0.event ?? "" } == ["n2", "n3"])
        try await eventually("the inbox") { bob.messages(of: "@bob").map(\.event) == ["hello"] }
        try await eventually("the other room") { alice.latest(of: "private-order,7;@=.") == 1 }
        #expect(bob.messages(of: "private-order,7;@=.").isEmpty)
        let page = try await bob.client.history(of: "private-order,7;@=.")
        #expect(page.messages.map { $0.event ?? "" } == ["paid"])
    }

    @Test func `either node tells who is where, and closes a user's connections wherever they are`() async throws {
        let cluster = try await Cluster.start(environment: Self.environment)
        let tabs = [
            try await WireClient.connect(to: cluster.nodes[0], as: "alice"),
            try await WireClient.connect(to: cluster.nodes[1], as: "alice"),
            try await WireClient.connect(to: cluster.nodes[1], as: "bob"),
        ]
        for one in tabs { try await one.join("presence-lobby") }
        try await tabs[0].join("news")
        for node in cluster.nodes {
            let list = try await node.call("GET", "/channels").json?["channels"] as? [String: Any]
            #expect(Set((list ?? [:]).keys) == ["presence-lobby", "news"])
            let few = try await node.call(
                "GET", "/channels", ["filter_by_prefix": "presence-", "info": "user_count"])
            #expect(few.body == #"{"channels":{"presence-lobby":{"user_count":2}}}"#)
            let one = try await node.call(
                "GET", "/channels/presence-lobby", ["info": "user_count,subscription_count"])
            #expect(one.body == #"{"occupied":true,"user_count":2,"subscription_count":3}"#)
            let users =
                try await node.call("GET", "/channels/presence-lobby/users").json?["users"] as? [[String: String]]
            #expect(Set((users ?? []).compactMap { $0["id"] }) == ["alice", "bob"])
            #expect(try await node.call("GET", "/channels/nobody").body == #"{"occupied":false}"#)
        }
        #expect(try await cluster.nodes[0].call("POST", "/users/alice/terminate_connections", [:], "{}").body == "{}")
        for one in tabs.prefix(2) { #expect(await one.ended().code == 4403) }
        try await eventually("her leaving") {
            try await cluster.nodes[1].call("GET", "/channels/presence-lobby/users").body
                == #"{"users":[{"id":"bob"}]}"#
        }
    }

    @Test func `while Redis is away triggers and questions are 503, and it goes on behind it`() async throws {
        let cluster = try await Cluster.start(
            environment: Self.environment.merging(["MARTLET_REDIS_COMMAND_TIMEOUT": "1s"]) { $1 })
        let body = #"{"name":"e","data":"1","channel":"news"}"#
        #expect(try await cluster.nodes[0].call("POST", "/events", [:], body).status == 200)
        cluster.redis.pause()
        let away = try await cluster.nodes[0].call("POST", "/events", [:], body)
        #expect(away.status == 503 && away.head.contains("text/plain"))
        #expect(try await cluster.nodes[1].call("GET", "/channels/news").status == 503)
        cluster.redis.resume()
        try await eventually("the store") {
            try await cluster.nodes[0].call("POST", "/events", [:], body).status == 200
        }
    }

    @Test func `with pusher.api client the client port answers the same calls, and nothing else of the api port`()
        async throws
    {
        let cluster = try await Cluster.start(
            environment: Self.environment.merging(["MARTLET_PUSHER_API": "client"]) { $1 })
        let alice = try await Participant.connect(to: cluster.nodes[1].clientURL, as: "alice")
        _ = try await alice.client.join("news")
        let node = cluster.nodes[0]
        let large = String(repeating: "x", count: 10_240)
        let body = #"{"name":"e","data":"\#(large)","channels":["news"]}"#
        let answer = try await node.call("POST", "/events", [:], body, port: node.clientPort)
        #expect(answer.status == 200 && answer.body == "{}" && answer.head.contains("application/json"))
        try await eventually("delivery") { alice.payloads(of: "news") == ["\"\(large)\""] }
        let list = try await node.call("GET", "/channels", port: node.clientPort)
        #expect(list.body == #"{"channels":{"news":{}}}"#)
        let bad = try await node.call("GET", "/channels/a:b", port: node.clientPort)
        #expect(bad.status == 400 && bad.head.contains("text/plain") && bad.body.hasPrefix("channel: must be"))
        var stranger = Self.backend
        stranger.secret = "another one"
        let forged = try await node.call("POST", "/events", [:], body, by: stranger, port: node.clientPort)
        #expect(forged.status == 401)
        #expect(try await node.call("GET", "/events", port: node.clientPort).status == 405)
        let huge = #"{"name":"e","data":"\#(String(repeating: "x", count: 1 << 20))","channel":"news"}"#
        #expect(try await node.call("POST", "/events", [:], huge, port: node.clientPort).status == 413)
        #expect(try await node.call("GET", "/nothing", port: node.clientPort).status == 404)
        let rest = try await HTTPAnswer.fetch(
            port: node.clientPort, path: "/v1/users", headers: [("Authorization", "Bearer \(NodeProcess.apiKey)")])
        #expect(rest.status == 404)
        // It goes on serving what the port is for, and the api port answers as well.
        #expect(try await node.call("GET", "/channels").status == 200)
        let other = try await Cluster.start(environment: Self.environment)
        #expect(try await other.nodes[0].call("GET", "/channels", port: other.nodes[0].clientPort).status == 404)
    }

    @Test func `a receiver in Pusher's form is told whose channel came to be, and whom a killed node had`() async throws
    {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(
            2,
            environment: Self.environment.merging([
                "MARTLET_WEBHOOKS_URL": "\(server.url) format=pusher", "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true",
                "MARTLET_PRESENCE_GRACE": "1s", "MARTLET_REDIS_COMMAND_TIMEOUT": "5s",
            ]) { $1 })
        let there = try await WireClient.connect(to: fleet.nodes[0], as: "alice")
        let users = (0..<20).map { "user-\($0)" }
        let clients = try await each(users) { user in
            let client = try await WireClient.connect(to: fleet.nodes[1], as: user)
            try await client.join("presence-lobby")
            return client
        }
        try await there.join("news")
        @Sendable func told(_ name: String, _ channel: String) -> [String] {
            server.requests.flatMap { PusherBackendTests.events(in: $0) }
                .filter { $0["name"] == name && $0["channel"] == channel }.map { $0["user_id"] ?? "" }
        }
        try await eventually("all of them") { Set(told("member_added", "presence-lobby")) == Set(users) }
        try await eventually("both channels") {
            told("channel_occupied", "presence-lobby") == [""] && told("channel_occupied", "news") == [""]
        }
        fleet.nodes[1].kill9()
        try await eventually("their leaving") { Set(told("member_removed", "presence-lobby")) == Set(users) }
        try await eventually("the channel's end") { told("channel_vacated", "presence-lobby") == [""] }
        #expect(told("member_removed", "presence-lobby").count == users.count)
        #expect(told("member_added", "news").isEmpty && told("channel_vacated", "news").isEmpty)
        for request in server.requests {
            #expect(request.headers["X-Pusher-Key"] == Self.backend.key)
            #expect(request.headers["X-Pusher-Signature"] == Self.backend.sign(request.text))
        }
        withExtendedLifetime((there, clients)) {}
    }

    private static func events(in request: HookServer.Request) -> [[String: String]] {
        let object = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
        return object?["events"] as? [[String: String]] ?? []
    }
}
