import Foundation
import TestKit
import TestSupport
import Testing

/// Nodes as a user of Redis who may do what `martlet check --acl` prints, and nothing else.
@Suite("Nodes under Redis's ACL")
struct RedisRightsTests {
    @Test func `two nodes do all their work, one dies, and Redis has refused nothing`() async throws {
        let redis = try RedisServerProcess()
        let printed = try await NodeProcess.run(["check", "--acl"])
        #expect(printed.status == 0)
        let words = printed.output.replacing("PASSWORD", with: "right-and-hidden")
            .split(whereSeparator: \.isWhitespace).map(String.init)
        _ = try await RedisServerProcess.cli(["-s", redis.socketPath] + words)
        let hook = try await HookServer.start()
        let url = "unix://\(redis.socketPath)?user=martlet&password=right-and-hidden"
        let environment = [
            "MARTLET_WEBHOOKS_URL": hook.url, "MARTLET_WEBHOOKS_SECRET": "a secret of a test",
            "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true", "MARTLET_PRESENCE_WATCH": "sameRoom",
        ]
        let a = try await NodeProcess.start(nodeId: "a", redisURL: url, environment: environment)
        let b = try await NodeProcess.start(nodeId: "b", redisURL: url, environment: environment)
        for node in [a, b] {
            try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        }
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        for client in [alice, bob] { try await client.join("lesson") }
        for fields in [
            #""type":"message","roomId":"lesson","payload":1"#,
            #""type":"message","roomId":"lesson","payload":2,"dedupe":"k""#, #""type":"members","roomId":"lesson""#,
            #""type":"history","roomId":"lesson""#, #""type":"watch","users":["bob"]"#,
            #""type":"signal","roomId":"lesson","to":"bob","payload":3"#,
            #""type":"message","roomId":"lesson","payload":4,"event":"typing","echo":false,"volatile":true"#,
            #""type":"presence","roomId":"lesson","info":{"mood":"glad"}"#, #""type":"state","state":"away""#,
            #""type":"state","state":"invisible""#, #""type":"state","state":"active""#,
        ] {
            #expect(try await alice.ask(fields).string("code") == nil, "\(fields)")
        }
        try await bob.frame("message") { $0.int("payload") == 2 }
        let calls: [(String, String, String?)] = [
            ("POST", "broadcast", #"{"to":{"everyone":true},"payload":1,"idempotencyKey":"i"}"#),
            ("POST", "broadcast", #"{"to":{"users":["bob","carol"]},"payload":1}"#),
            ("GET", "users", nil), ("GET", "users/bob", nil), ("POST", "users/query", #"{"users":["bob"]}"#),
            ("GET", "rooms", nil), ("GET", "rooms/lesson", nil), ("GET", "rooms/lesson/members", nil),
            ("GET", "rooms/lesson/messages", nil), ("GET", "nodes", nil), ("GET", "stats", nil),
            ("GET", "top?by=cpu&of=users", nil), ("GET", "webhooks", nil),
            ("PUT", "rooms/lesson", #"{"version":0,"title":"T"}"#),
            ("PUT", "rooms/lesson/members/alice", #"{"role":"host"}"#), ("PUT", "rooms/lesson/mutes/zed", "{}"),
            ("PUT", "rooms/lesson/bans/zed", "{}"), ("DELETE", "rooms/lesson/bans/zed", nil),
            ("DELETE", "rooms/lesson/messages/1", nil), ("DELETE", "users/zed", nil),
            ("PUT", "addresses/bans", #"{"cidr":"203.0.113.0/24","seconds":60}"#), ("GET", "addresses/bans", nil),
            ("DELETE", "addresses/bans?cidr=203.0.113.0/24", nil), ("POST", "webhooks/replay", #"{"from":0}"#),
            ("POST", "users/bob/disconnect", #"{"banSeconds":60}"#), ("DELETE", "users/bob/ban", nil),
        ]
        for (method, path, body) in calls {
            let answer = try await b.request(method, "/v1/\(path)", body: body)
            #expect(answer.status == 200, "\(method) \(path) \(answer)")
        }
        let carol = try await WireClient.connect(to: b, as: "carol")
        try await carol.join("lesson")
        b.kill9()
        try await alice.frame("presence") { frame in
            frame.steps.contains { $0 == "leave carol" }
        }
        try await eventually("the webhooks") {
            hook.events.contains { $0.type == "user.offline" && $0.userId == "carol" }
        }
        #expect(try await a.request("GET", "/readyz").status == 200)
        let log = try await redis.cli("ACL", "LOG")
        #expect(log.isEmpty, "\(log)")
    }
}
