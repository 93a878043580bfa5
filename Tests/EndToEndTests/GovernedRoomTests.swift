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
        // What a client may not do is no fault of Redis's.
        let metrics = try await b.request("GET", "/metrics").body
        #expect(metrics.contains(#"martlet_redis_command_errors_total{script="publish"} 0"#))
        #expect(metrics.contains(#"martlet_messages_published_total{result="barred"} 1"#))
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

    @Test func `who may not read is told neither what was nor who is there, over a break as well; a moderator redacts`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let body =
            #"{"version":0,"roles":{"member":["join","publish"],"speaker":["join","publish","history","presence"]}}"#
        #expect(try await a.request("PUT", "/v1/rooms/hall", body: body).status == 200)
        for (user, role) in [("ann", "moderator"), ("sue", "speaker")] {
            _ = try await a.request("PUT", "/v1/rooms/hall/members/\(user)", body: #"{"role":"\#(role)"}"#)
        }
        let ann = try await WireClient.connect(to: a, as: "ann")
        #expect(try await ann.join("hall").string("role") == "moderator")
        for number in 1...3 {
            _ = try await ann.ask(#""type":"message","roomId":"hall","payload":\#(number)"#)
        }
        let bob = try await WireClient.connect(to: b, as: "bob")
        let joined = try await bob.ask(#""type":"join","roomId":"hall","last":2"#)
        #expect(joined.bool("recovered") == false && joined.int("seq") == 3 && joined.int("rosterVersion") == nil)
        #expect(joined.string("role") == "member")
        for type in ["history", "members"] {
            #expect(try await bob.ask(#""type":"\#(type)","roomId":"hall""#).string("code") == "forbidden")
        }
        let sue = try await WireClient.connect(to: b, as: "sue")
        #expect(try await sue.ask(#""type":"join","roomId":"hall","last":2"#).bool("recovered") == true)
        try await ann.frame("presence") { $0.text.contains(#""userId":"sue""#) }
        #expect(bob.frames("presence").isEmpty && bob.frames("message").isEmpty)

        // Other settings, or what is done to somebody else, leave everybody the role they have.
        for (method, path, body) in [
            ("PATCH", "/v1/rooms/hall", #"{"title":"New"}"#), ("PUT", "/v1/rooms/hall/bans/eve", "{}"),
            ("DELETE", "/v1/rooms/hall/bans/eve", nil),
        ] as [(String, String, String?)] {
            let told = bob.frames("room").count
            #expect(try await a.request(method, path, body: body).status < 300)
            try await eventually { bob.frames("room").count > told }
            for type in ["history", "members"] {
                #expect(try await sue.ask(#""type":"\#(type)","roomId":"hall""#).type == type)
                #expect(try await bob.ask(#""type":"\#(type)","roomId":"hall""#).string("code") == "forbidden")
            }
        }
        for client in [ann, bob, sue] { #expect(!client.frames("room").contains { $0.string("event") == "role" }) }

        // A break: what came meanwhile is bob's, and what was before he came is not.
        let session = try #require(bob.frames("welcome").first?.string("session"))
        bob.abort()
        _ = try await ann.ask(#""type":"message","roomId":"hall","payload":4"#)
        _ = try await a.request("PUT", "/v1/rooms/hall/members/bob", body: #"{"role":"listener"}"#)
        let back = try await WireClient.connect(to: a, as: "bob", query: "&session=\(session)")
        _ = try await back.ask(#""type":"resume","since":{"hall":{"seq":3}}"#)
        #expect(back.frames("resumed").first?.text.contains(#""roomId":"hall""#) == true)
        // The role given while he was away may read.
        try await back.frame("room") { $0.string("event") == "updated" && $0.string("role") == "listener" }
        try await back.frame("message") { $0.int("seq") == 4 }
        _ = try await a.request("PUT", "/v1/rooms/hall/members/bob", body: #"{"role":"member"}"#)
        try await back.frame("room") { $0.string("event") == "role" && $0.string("role") == "member" }
        let again = try await back.ask(#""type":"join","roomId":"hall","since":{"seq":0}"#)
        #expect(again.bool("recovered") == false && again.string("role") == "member")

        let redacted = try await ann.ask(#""type":"redact","roomId":"hall","seq":2"#)
        #expect(redacted.type == "ack" && redacted.int("version") != nil)
        try await sue.frame("room") { $0.string("event") == "redacted" && $0.int("seq") == 2 }
        #expect(try await back.ask(#""type":"redact","roomId":"hall","seq":3"#).string("code") == "forbidden")
        let page = try await sue.ask(#""type":"history","roomId":"hall""#)
        #expect(page.text.contains(#""payload":null"#) && page.text.contains(#""redacted":true"#))
        withExtendedLifetime(cluster) {}
    }

    @Test func `webhooks are told what was done to a room and its members, with what was said of it`() async throws {
        let hooks = try await HookServer.start()
        let environment = Fleet.webhooks(hooks, Cluster.patience)
        let cluster = try await Cluster.start(environment: environment)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        var clients: [WireClient] = []
        for user in ["ann", "ben", "cid"] {
            let client = try await WireClient.connect(to: a, as: user)
            try await client.join("court")
            clients.append(client)
        }
        let orders = [
            ("PUT", "", #"{"version":0,"title":"Court"}"#), ("PUT", "/members/ann", #"{"role":"host"}"#),
            ("PUT", "/members/ben", #"{"role":"moderator"}"#), ("DELETE", "/members/ben?reason=enough", ""),
            ("PUT", "/bans/cid", #"{"until":4102444800000,"reason":"really"}"#),
        ]
        for (method, path, body) in orders {
            #expect(try await b.request(method, "/v1/rooms/court\(path)", body: body).status == 200, "\(path)")
        }
        let version = try #require(try await b.request("GET", "/v1/rooms/court").json?["version"] as? Int)
        let closed = try await b.request("DELETE", "/v1/rooms/court", headers: [("If-Match", "\(version)")])
        #expect(closed.status == 200)
        let first = version - orders.count + 1
        let expected = [
            #""room.updated","roomId":"court","version":\#(first),"settings":{"title":"Court"}"#,
            #""member.role","userId":"ann","roomId":"court","version":\#(first + 1),"role":"host""#,
            #""room.host_changed","userId":"ann","roomId":"court","version":\#(first + 1)"#,
            #""member.role","userId":"ben","roomId":"court","version":\#(first + 2),"role":"moderator""#,
            #""member.removed","userId":"ben","roomId":"court","version":\#(first + 3),"reason":"enough""#,
            #""member.banned","userId":"cid","roomId":"court","version":\#(first + 4),"reason":"really","until":4102444800000"#,
            #""room.updated","roomId":"court","version":\#(version + 1),"closed":true"#,
        ]
        for event in expected {
            try await eventually(event) {
                hooks.requests.contains { String(decoding: $0.body, as: UTF8.self).contains(#""type":\#(event)"#) }
            }
        }
        withExtendedLifetime((cluster, clients)) {}
    }
}
