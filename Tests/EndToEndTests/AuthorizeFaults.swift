import Foundation
import TestKit
import TestSupport
import Testing

@Suite("Faults of a backend that decides", .timeLimit(.minutes(3)))
struct AuthorizeFaults {
    private static let forbidden = HookServer.Reply.text(#"{"allow":false,"message":"not you"}"#)

    private static let lies: [HookServer.Reply] = [
        .text(String(repeating: " ", count: 5 << 20) + #"{"allow":true,"userId":"alice"}"#),
        .text("<html>login</html>"), .text(#"{"allow":true}"#), .text(#"{"allow":true,"userId":"system"}"#),
        .text(#"{"allow":"yes","userId":"alice"}"#), .redirect("/other"), .status(500), .status(204), .broken, .reset,
    ]

    @Test func `a backend that lies, breaks off or sends elsewhere lets nobody in`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        for lie in Self.lies {
            backend.answer(lie)
            #expect(try await WireClient.end(of: "alice", on: node).code == 4503)
        }
        backend.answer(nil)
        _ = try await WireClient.letIn("alice", to: node)
        #expect(try await node.request("GET", "/v1/users/alice").status == 200)
        // None of it was followed.
        #expect(backend.requests.allSatisfy { $0.path == "/hooks" })
        let metrics = try await HTTPAnswer.fetch(port: node.apiPort, path: "/metrics").body
        #expect(metrics.contains(#"martlet_authorize_calls_total{result="failed"}"#))
        #expect(
            metrics.contains(
                #"martlet_authorize_questions_total{action="connect",result="failed"} \#(Self.lies.count)"#))
    }

    @Test func `whoever is known is let pass where the settings say so, never as another, and readiness tells`()
        async throws
    {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: backend.environment([
                "MARTLET_AUTH_MODE": "none", "MARTLET_HOOKS_AUTHORIZE_ON_FAILURE": "allow",
            ]))
        try await eventually("a word on what is let pass") {
            try await node.request("GET", "/readyz").body.contains("hooks.authorize.onFailure is allow")
        }
        backend.answer(.status(500), about: "alice")
        let alice = try await WireClient.connect(to: node, as: "alice")
        #expect(try await alice.frame("welcome").string("userId") == "alice")
        // What a client may have brought about itself is none of these failures.
        for (user, answer) in [
            ("carol", HookServer.Reply.text(#"{"allow":true,"userId":"root"}"#)), ("dave", .status(431)),
            ("erin", .redirect("/other")),
        ] {
            backend.answer(answer, about: user)
            let refused = try await WireClient.open(to: node.clientPort, as: user)
            #expect(await refused.ended().code == 4503, "\(user)")
        }
        #expect(try await node.request("GET", "/readyz").body.contains("redirects are not followed"))
        let nobody = try await HostileSocket.open(port: node.clientPort, path: "/ws")
        backend.answer(.status(500))
        try await eventually("an end") { !nobody.isOpen }
        #expect(nobody.closeCode == 4401 || nobody.closeCode == 4503)
        // A no is a no, however little the failures matter.
        backend.answer(Self.forbidden, about: "bob")
        let bob = try await WireClient.open(to: node.clientPort, as: "bob")
        #expect(await bob.ended().code == 4403)
    }

    @Test func `a slow backend is asked no more than so much at once, and slows nobody else`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: backend.environment([
                "MARTLET_HOOKS_AUTHORIZE_CONCURRENCY": "4", "MARTLET_HOOKS_AUTHORIZE_TIMEOUT": "500ms",
                "MARTLET_THREADS": "1",
            ]))
        let alice = try await WireClient.letIn("alice", to: node)
        try await alice.join("r")
        backend.answer(.never)
        let others = try await withThrowingTaskGroup(of: WireClient.self) { group in
            for number in 0..<40 { group.addTask { try await WireClient.shown("u\(number)", to: node) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let began = ContinuousClock.now
        for _ in 0..<20 { _ = try await alice.ask(#""type":"message","roomId":"r","payload":1"#) }
        // They wait for the backend, and not the loop with them.
        #expect(began.duration(to: .now) < .seconds(5))
        for other in others { #expect(await other.ended().code == 4503) }
        // A call that was given up ends at the backend a little later.
        #expect(backend.server.mostUnderWay <= 8)
        #expect(try await node.request("GET", "/readyz").body.contains("does not answer"))
        backend.answer(nil)
        _ = try await WireClient.letIn("bob", to: node)
        try await eventually("readiness without a reason") {
            try await node.request("GET", "/readyz").body == #"{"status":"ready"}"#
        }
    }

    @Test func `one user's flood of questions keeps nobody else waiting`() async throws {
        let rules = try SettingsText("rooms: [{pattern: hall, authorize: [publish]}]")
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: backend.environment([
                "MARTLET_HOOKS_AUTHORIZE_CONCURRENCY": "2", "MARTLET_HOOKS_AUTHORIZE_TIMEOUT": "10s",
            ]),
            configuration: rules.path)
        var mallories: [WireClient] = []
        for _ in 0..<4 { mallories.append(try await WireClient.letIn("mallory", to: node)) }
        for mallory in mallories { try await mallory.join("hall") }
        // What it asks takes the backend many times as long as a question may wait.
        backend.answer(.lateText(#"{"allow":true,"userId":"mallory"}"#, .milliseconds(200)), about: "mallory")
        for number in 0..<50 {
            for (index, mallory) in mallories.enumerated() {
                mallory.send(#"{"type":"message","roomId":"hall","payload":[\#(index),\#(number)]}"#)
            }
        }
        // More than are answered in the time that a question may wait.
        try await eventually("a long line") { try await Self.waiting(at: node) > 40 }
        for number in 0..<5 { _ = try await WireClient.letIn("bob\(number)", to: node) }
        #expect(try await Self.waiting(at: node) > 20)
    }

    /// Questions that wait at a node.
    private static func waiting(at node: NodeProcess) async throws -> Double {
        let metrics = try await HTTPAnswer.fetch(port: node.apiPort, path: "/metrics").body
        let line = try #require(metrics.split(separator: "\n").first { $0.hasPrefix("martlet_authorize_waiting ") })
        return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }

    @Test func `equal questions of a storm are one call`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(.lateText(#"{"allow":true,"userId":"alice"}"#, .seconds(1)), about: "alice")
        let alices = try await withThrowingTaskGroup(of: WireClient.self) { group in
            for _ in 0..<30 { group.addTask { try await WireClient.shown("alice", to: node) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for alice in alices { try await alice.frame("welcome") }
        #expect(backend.requests.count < 5)
    }

    @Test func `an answer for a client that has gone registers nobody`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(.lateText(#"{"allow":true,"userId":"alice"}"#, .milliseconds(600)), about: "alice")
        let gone = try await WireClient.shown("alice", to: node)
        try await eventually("the question") { backend.requests.count == 1 }
        gone.abort()
        try await eventually("the answer") {
            try await HTTPAnswer.fetch(port: node.apiPort, path: "/metrics").body.contains(
                #"martlet_authorize_calls_total{result="answered"} 1"#)
        }
        #expect(try await node.request("GET", "/v1/users/alice").status == 404)
        #expect(!node.log.contains("atal error"))
    }

    @Test func `a backend that is away is said, and asked again once it is back`() async throws {
        let backend = try await AskedBackend.start()
        let port = backend.server.port
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        let alice = try await WireClient.letIn("alice", to: node)
        try await backend.server.stop()
        backend.server.closeConnections()
        #expect(try await WireClient.end(of: "bob", on: node).code == 4503)
        try await node.logged("the backend of hooks.authorize gives no answer that counts")
        #expect(alice.isOpen)
        let again = try await AskedBackend.start(port: port)
        _ = try await WireClient.letIn("bob", to: node)
        withExtendedLifetime(again) {}
    }

    @Test func `whoever is banned while the backend thinks is not let in by its yes`() async throws {
        let backend = try await AskedBackend.start()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, environment: backend.environment())
        backend.answer(
            .lateText(#"{"allow":true,"userId":"alice","cacheSeconds":600}"#, .milliseconds(800)), about: "alice")
        let alice = try await WireClient.shown("alice", to: node)
        try await eventually("the question") { backend.requests.count == 1 }
        let ban = #"{"banSeconds":600}"#
        #expect(try await node.request("POST", "/v1/users/alice/disconnect", body: ban).status == 200)
        #expect(await alice.ended().code == 4403)
        // Nor by an answer that holds.
        #expect(try await WireClient.end(of: "alice", on: node).code == 4403)
    }

    @Test func `a yes from before the backend changed its mind lets nobody stay, on whatever node it comes in`()
        async throws
    {
        let redis = try RedisServerProcess()
        let backend = try await AskedBackend.start()
        let first = try await NodeProcess.start(nodeId: "a", redisURL: redis.url, environment: backend.environment())
        let second = try await NodeProcess.start(nodeId: "b", redisURL: redis.url, environment: backend.environment())
        let alice = try await WireClient.letIn("alice", to: first)
        try await alice.join("r")
        let session = try #require(try await alice.frame("welcome").string("session"))
        // It comes back on another node, whose question is answered late, by what held when it was asked.
        backend.answer(
            .lateText(#"{"allow":true,"userId":"alice","cacheSeconds":600}"#, .milliseconds(800)), about: "alice")
        alice.abort()
        let back = try await WireClient.open(
            to: second.clientPort, as: "alice", query: "&token=alice&session=\(session)")
        try await eventually("the question") { backend.requests.count == 2 }
        backend.answer(Self.forbidden, about: "alice")
        #expect(try await first.request("POST", "/v1/users/alice/refresh").status == 200)
        #expect(await back.ended().code == 4403)
        #expect(back.frames("welcome").count <= 1)
        #expect(try await WireClient.end(of: "alice", on: second).code == 4403)
        withExtendedLifetime(redis) {}
    }

    @Test func `a node that does not hear of a refresh is told of`() async throws {
        let redis = try RedisServerProcess()
        let backend = try await AskedBackend.start()
        let first = try await NodeProcess.start(nodeId: "a", redisURL: redis.url, environment: backend.environment())
        let second = try await NodeProcess.start(nodeId: "b", redisURL: redis.url, environment: backend.environment())
        let alice = try await WireClient.letIn("alice", to: second)
        second.pause()
        defer { second.resume() }
        #expect(try await first.request("POST", "/v1/users/alice/refresh").status == 503)
        second.resume()
        // What was said is heard late, and does no harm.
        try await eventually("the question") { backend.requests.count == 2 }
        #expect(alice.isOpen)
        withExtendedLifetime(redis) {}
    }
}
