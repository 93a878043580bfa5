import Foundation
import TestKit
import TestSupport
import Testing

@Suite("A backend that decides", .timeLimit(.minutes(3)))
struct AuthorizeTests {
    private static let forbidden = HookServer.Reply.text(#"{"allow":false,"message":"not you"}"#)

    private static func redis() throws -> RedisServerProcess { try RedisServerProcess() }

    private static func refresh(_ user: String, on node: NodeProcess) async throws -> HTTPAnswer {
        try await node.request("POST", "/v1/users/\(user)/refresh")
    }

    @Test func `a cookie is enough where pages are named, and the question is signed`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: backend.environment([
                "MARTLET_HOOKS_AUTHORIZE_HEADERS": "Cookie,Origin", "MARTLET_CLIENT_ORIGINS": "https://app.example",
            ]))
        let headers = [("Cookie", "sid=alice"), ("Origin", "https://app.example"), ("X-Other", "hidden")]
        let alice = try await HostileSocket.open(port: node.clientPort, path: "/ws", headers: headers)
        let welcome = try await alice.text(with: #""type":"welcome""#)
        #expect(welcome.contains(#""userId":"alice""#))
        let request = try #require(backend.requests.first)
        #expect(
            request.text.hasPrefix(
                #"{"action":"connect","headers":{"Cookie":"sid=alice","Origin":"https://app.example"},"address":"127.0.0.1","connectionId":""#
            ))
        #expect(request.isSigned(by: AskedBackend.secret))
        let evil = try await HostileSocket.open(
            port: node.clientPort, path: "/ws", headers: [("Cookie", "sid=alice"), ("Origin", "https://evil.example")])
        #expect(evil.status == 403)
        let native = try await HostileSocket.open(port: node.clientPort, path: "/ws", headers: [("Cookie", "sid=bob")])
        #expect(try await native.text(with: "welcome").contains(#""userId":"bob""#))
        #expect(backend.requests.count == 2)
        let readiness = try await node.request("GET", "/readyz")
        #expect(readiness.status == 200 && !readiness.body.contains("onFailure"))
        #expect(!node.log.contains(AskedBackend.secret) && !node.log.contains("sid="))
    }

    @Test func `the backend names the user, and a no has its code`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(.text(#"{"allow":true,"userId":"zoë","info":{"n":1},"join":["hall"]}"#), about: "opaque")
        let zoe = try await WireClient.letIn("opaque", to: node)
        #expect(try await zoe.frame("welcome").string("userId") == "zoë")
        try await zoe.frame("joined") { $0.room == "hall" }
        backend.answer(Self.forbidden, about: "eve")
        #expect(try await WireClient.end(of: "eve", on: node).code == 4403)
        backend.answer(.text(#"{"allow":false,"code":"unauthorized","message":"log in"}"#), about: "old")
        let old = try await WireClient.end(of: "old", on: node)
        #expect(old.code == 4401 && old.reason == "log in")
        // Nobody in particular, of whom nothing is shown: after a moment.
        let nobody = try await HostileSocket.open(port: node.clientPort, path: "/ws")
        try await eventually("an end") { !nobody.isOpen }
        #expect(nobody.closeCode == 4401)
    }

    @Test func `rights can be asked for again on all nodes at once`() async throws {
        let redis = try Self.redis()
        let backend = try await AskedBackend.start()
        let nodes = [
            try await NodeProcess.start(nodeId: "a", redisURL: redis.url, environment: backend.environment()),
            try await NodeProcess.start(nodeId: "b", redisURL: redis.url, environment: backend.environment()),
        ]
        let alices = [
            try await WireClient.letIn("alice", to: nodes[0]), try await WireClient.letIn("alice", to: nodes[1]),
            try await WireClient.letIn("alice", to: nodes[1]),
        ]
        let bob = try await WireClient.letIn("bob", to: nodes[0])
        for alice in alices { try await alice.join("a1") }
        backend.answer(
            .text(#"{"allow":true,"rooms":{"b*":["join"]},"join":["b1"],"cacheSeconds":60}"#), about: "alice")
        let asked = backend.requests.count
        let answer = try await Self.refresh("alice", on: nodes[0])
        #expect(answer.status == 200 && answer.body == #"{"refreshed":3}"#)
        for alice in alices {
            try await alice.frame("left") { $0.room == "a1" }
            try await alice.frame("joined") { $0.room == "b1" }
        }
        // Those of one node are one question.
        #expect(backend.requests.count == asked + 2)
        #expect(backend.requests.last?.field("userId") == "alice")

        backend.answer(Self.forbidden, about: "alice")
        #expect(try await Self.refresh("alice", on: nodes[1]).body == #"{"refreshed":3}"#)
        for alice in alices { #expect(await alice.ended().code == 4403) }
        #expect(bob.isOpen)
        #expect(try await Self.refresh("carol", on: nodes[1]).body == #"{"refreshed":0}"#)
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `rooms with the rule ask for joins and messages, others do not`() async throws {
        let rules = try SettingsText("rooms: [{pattern: \"hall*\", authorize: [join, publish]}, {pattern: \"open*\"}]")
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: backend.environment(), configuration: rules.path)
        let alice = try await WireClient.letIn("alice", to: node)
        try await alice.join("open")
        _ = try await alice.ask(#""type":"message","roomId":"open","payload":1"#)
        #expect(backend.requests.count == 1)
        #expect(try await alice.join("hall").type == "joined")
        let sent = try await alice.ask(#""type":"message","roomId":"hall","payload":{"a": 1.0}"#)
        #expect(sent.type == "ack")
        #expect(backend.requests("publish").first?.text.contains(#""roomId":"hall","payload":{"a": 1.0}"#) == true)
        backend.answer(Self.forbidden, about: "alice")
        let refused = try await alice.ask(#""type":"message","roomId":"hall","payload":2"#)
        #expect(refused.string("code") == "forbidden" && refused.string("message") == "not you")
        #expect(try await alice.join("hall2").string("code") == "forbidden")
        #expect(alice.isOpen)
        // A hundred messages at once arrive in their order, whatever the order of the answers.
        backend.answer(nil, about: "alice")
        for number in 0..<50 {
            alice.send(#"{"type":"message","roomId":"hall","payload":\#(number + 100)}"#)
        }
        try await eventually("all messages") { alice.frames("message").filter { $0.room == "hall" }.count == 51 }
        let numbers = alice.frames("message").filter { $0.room == "hall" }.compactMap { $0.int("payload") }
        #expect(numbers == Array(100..<150))
    }

    @Test func `an answer holds for as long as it says, for equal questions alone`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(.text(#"{"allow":true,"userId":"alice","cacheSeconds":600}"#), about: "alice")
        for _ in 0..<10 { _ = try await WireClient.letIn("alice", to: node) }
        #expect(backend.requests.count == 1)
        _ = try await WireClient.letIn("bob", to: node)
        _ = try await WireClient.letIn("bob", to: node)
        #expect(backend.requests.count == 3)
        // Asked again nothing holds that was said before.
        backend.answer(Self.forbidden, about: "alice")
        _ = try await Self.refresh("alice", on: node)
        #expect(try await WireClient.end(of: "alice", on: node).code == 4403)
    }

    @Test func `what is granted ends, and a token that is checked here is checked first`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(.text(#"{"allow":true,"userId":"alice","expires":1}"#), about: "alice")
        #expect(try await WireClient.letIn("alice", to: node).ended().code == 4401)
        let checking = try await NodeProcess.start(
            nodeId: "b", redisURL: nil,
            environment: backend.environment([
                "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": AskedBackend.secret,
            ]))
        let asked = backend.requests.count
        #expect(try await WireClient.end(of: "alice", on: checking).code == 4401)
        #expect(backend.requests.count == asked)
    }

    @Test func `a node without a backend says that there is nothing to ask`() async throws {
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil)
        #expect(try await Self.refresh("alice", on: node).status == 404)
    }

    @Test func `another backend is asked after a reload`() async throws {
        let (first, second) = (try await AskedBackend.start(), try await AskedBackend.start())
        let rules = try SettingsText(Self.file(first.server.url))
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: ["MARTLET_AUTH_MODE": "hook"], configuration: rules.path)
        first.answer(.text(#"{"allow":true,"userId":"alice","cacheSeconds":600}"#), about: "alice")
        let alice = try await WireClient.letIn("alice", to: node)
        try Data(Self.file(second.server.url).utf8).write(to: URL(fileURLWithPath: rules.path))
        kill(node.pid, SIGHUP)
        try await node.logged("key=hooks.authorize.url [GatewayNode] setting taken")
        _ = try await WireClient.letIn("alice", to: node)
        #expect((first.requests.count, second.requests.count) == (1, 1))
        #expect(alice.isOpen)
        // Nothing else has changed by then, and what was answered counts no longer.
        second.answer(.text(#"{"allow":true,"userId":"bob","cacheSeconds":600}"#), about: "bob")
        for _ in 0..<2 { _ = try await WireClient.letIn("bob", to: node) }
        #expect(second.requests.count == 2)
        kill(node.pid, SIGHUP)
        try await node.logged("no setting has changed")
        _ = try await WireClient.letIn("bob", to: node)
        #expect(second.requests.count == 3)
    }

    private static func file(_ url: String) -> String {
        "hooks: {authorize: {url: \"\(url)\", secret: \(AskedBackend.secret)}}"
    }

    @Test func `a backend made for Centrifugo's proxies is asked as those do`() async throws {
        let rules = try SettingsText("rooms: [{pattern: news, authorize: [join, publish]}]")
        let server = try await HookServer.start { _, body in
            let text = String(decoding: body, as: UTF8.self)
            guard text.contains("channel") else { return .text(#"{"result":{"user":"56","channels":["lobby"]}}"#) }
            return text.contains(#""data":"bad""#)
                ? .text(#"{"error":{"code":403,"message":"no"}}"#) : .text(#"{"result":{}}"#)
        }
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: [
                "MARTLET_AUTH_MODE": "hook", "MARTLET_HOOKS_FORMAT": "centrifugo",
                "MARTLET_HOOKS_AUTHORIZE_URL": "http://127.0.0.1:\(server.port)/centrifugo",
            ], configuration: rules.path)
        let client = try await WireClient.letIn("t1", to: node)
        #expect(try await client.frame("welcome").string("userId") == "56")
        try await client.frame("joined") { $0.room == "lobby" }
        #expect(try await client.join("news").type == "joined")
        #expect(try await client.ask(#""type":"message","roomId":"news","payload":"good""#).type == "ack")
        let bad = try await client.ask(#""type":"message","roomId":"news","payload":"bad""#)
        #expect(bad.string("code") == "forbidden")
        #expect(
            server.requests.map(\.path) == [
                "/centrifugo/connect", "/centrifugo/subscribe", "/centrifugo/publish", "/centrifugo/publish",
            ])
        #expect(server.requests.first?.headers["Authorization"] == "Bearer t1")
    }
}
