import TestKit
import Testing
import TestSupport

@Suite("Governed rooms of two nodes")
struct GovernedRoomTests {
    @Test func `settings given through one node bind and reach the clients of both`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        try await alice.join("lesson")

        let put = try await b.request(
            "PUT", "/v1/rooms/lesson", body: #"{"version":0,"title":"Maths","locked":true,"slowMode":60}"#)
        let version = try #require(put.json?["version"] as? Int)
        let told = try await alice.frame("room") { $0.int("version") == version }
        #expect(told.string("event") == "updated" && told.text.contains(#""title":"Maths""#))
        let locked = try await bob.join("lesson")
        #expect(locked.string("code") == "forbidden" && locked.string("message") == "the room is locked")

        let opened = try await a.request("PATCH", "/v1/rooms/lesson", body: #"{"locked":null}"#)
        #expect(opened.json?["version"] as? Int == version + 1)
        let joined = try await bob.join("lesson")
        #expect(joined.int("version") == version + 1 && joined.text.contains(#""settings":{"title":"Maths","#))
        let first = try await bob.ask(#""type":"message","roomId":"lesson","payload":1"#)
        #expect(first.type == "ack")
        let slow = try await bob.ask(#""type":"message","roomId":"lesson","payload":2"#)
        #expect(slow.string("code") == "rate_limited" && (slow.int("retryAfterMs") ?? 0) > 50_000)
        // A backend is bound by nothing.
        let broadcast = try await a.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["lesson"]},"payload":3}"#)
        #expect(broadcast.status == 200)

        let stale = try await a.request("DELETE", "/v1/rooms/lesson", headers: [("If-Match", "\(version)")])
        #expect(stale.status == 412)
        let closed = try await a.request("DELETE", "/v1/rooms/lesson", headers: [("If-Match", "\(version + 1)")])
        #expect(closed.json?["version"] as? Int == version + 2)
        for client in [alice, bob] {
            try await client.frame("room") { $0.string("event") == "closed" && $0.int("version") == version + 2 }
        }
        try await eventually("nobody is in the room") {
            try await b.request("GET", "/v1/rooms/lesson").json?["members"] as? Int == 0
        }
        #expect(try await b.request("GET", "/v1/rooms/lesson").json?["version"] as? Int == 0)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a host and a moderator keep order on two nodes: mute, removal with three tabs, ban, and a farewell`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let teacher = try await WireClient.connect(to: a, as: "teacher")
        let aide = try await WireClient.connect(to: b, as: "aide")
        let bob = try await WireClient.connect(to: b, as: "bob")
        for client in [teacher, aide, bob] { try await client.join("class") }
        let given = try await b.request("PUT", "/v1/rooms/class/members/teacher", body: #"{"role":"host"}"#)
        let version = try #require(given.json?["version"] as? Int)
        try await bob.frame("room") { $0.string("event") == "host" && $0.string("userId") == "teacher" }
        let role = try await teacher.ask(#""type":"role","roomId":"class","userId":"aide","role":"moderator""#)
        #expect(role.type == "ack" && role.int("version") == version + 1)
        try await bob.frame("room") { $0.string("role") == "moderator" && $0.int("version") == version + 1 }
        // A role that gives itself more, and a member who would moderate.
        let more = try await aide.ask(#""type":"role","roomId":"class","userId":"aide","role":"host""#)
        #expect(more.string("code") == "forbidden")
        #expect(try await bob.ask(#""type":"ban","roomId":"class","userId":"aide""#).string("code") == "forbidden")

        let muted = try await aide.ask(#""type":"mute","roomId":"class","userId":"bob""#)
        #expect(muted.type == "ack")
        let said = try await bob.ask(#""type":"message","roomId":"class","payload":1"#)
        #expect(said.string("code") == "forbidden" && said.string("message") == "mute in the room")
        try await teacher.frame("room") { $0.string("event") == "muted" && $0.string("userId") == "bob" }
        let shown = try await a.request("GET", "/v1/rooms/class").json
        #expect(shown?["host"] as? String == "teacher")
        #expect((shown?["roles"] as? [String: String]) == ["teacher": "host", "aide": "moderator"])
        #expect((shown?["muted"] as? [String: Int]) == ["bob": 0])
        _ = try await aide.ask(#""type":"unmute","roomId":"class","userId":"bob""#)

        let tabs = [try await WireClient.connect(to: a, as: "bob"), try await WireClient.connect(to: b, as: "bob")]
        for tab in tabs { try await tab.join("class") }
        let removed = try await aide.ask(#""type":"remove","roomId":"class","userId":"bob","reason":"enough""#)
        #expect(removed.type == "ack")
        for tab in tabs + [bob] {
            try await tab.frame("room") { $0.string("event") == "removed" && $0.string("reason") == "enough" }
            #expect(try await tab.ask(#""type":"message","roomId":"class","payload":1"#).string("code") == "not_member")
        }
        // Join anew one may, until one is banned; and a banned user returns when that is lifted.
        #expect(try await bob.join("class").string("role") == "member")
        let ban = try await a.request("PUT", "/v1/rooms/class/bans/bob", body: #"{"reason":"really"}"#)
        #expect(ban.status == 200)
        try await bob.frame("room") { $0.string("event") == "removed" && $0.string("reason") == "really" }
        let barred = try await bob.join("class")
        #expect(barred.string("code") == "forbidden" && barred.string("message") == "banned from the room")
        _ = try await a.request("DELETE", "/v1/rooms/class/bans/bob")
        #expect(try await bob.join("class").type == "joined")

        teacher.close()
        try await bob.frame("room") { $0.string("event") == "host" && $0.string("userId") == "aide" }
        let again = try await WireClient.connect(to: b, as: "teacher")
        #expect(try await again.join("class").string("role") == "member")
        withExtendedLifetime(cluster) {}
    }

    @Test func `a backend puts users in who are online, past a lock`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let bob = try await WireClient.connect(to: b, as: "bob")
        _ = try await a.request("PUT", "/v1/rooms/lobby", body: #"{"version":0,"locked":true}"#)
        #expect(try await bob.join("lobby").string("code") == "forbidden")
        let put = try await a.request("POST", "/v1/rooms/lobby/members", body: #"{"users":["bob","nobody"]}"#)
        #expect(
            put.body.contains(#"{"userId":"bob","connections":1},{"userId":"nobody","connections":0}"#))
        let joined = try await bob.frame("joined")
        #expect(joined.room == "lobby" && joined.int("id") == nil)
        #expect(try await bob.ask(#""type":"message","roomId":"lobby","payload":1"#).type == "ack")
        withExtendedLifetime(cluster) {}
    }
}
