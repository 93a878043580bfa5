import Foundation
import TestKit
import Testing
import TestSupport

/// Presence as clients and backends see it, over two nodes.
@Suite("Presence over two nodes")
struct PresenceTests {
    private static func start(_ environment: [String: String] = [:]) async throws -> (Cluster, NodeProcess, NodeProcess)
    {
        let cluster = try await Cluster.start(environment: Cluster.patience.merging(environment) { $1 })
        return (cluster, cluster.nodes[0], cluster.nodes[1])
    }

    @Test func `members are told of each other once, whatever the node and however many connections`() async throws {
        let (cluster, a, b) = try await Self.start()
        let alice = try await WireClient.connect(to: a, as: "alice")
        let joined = try await alice.join("r")
        #expect(joined.type == "joined" && joined.int("members") == 1 && joined.bool("recovered") == true)
        let version = try #require(joined.int("rosterVersion"))
        let bob = try await WireClient.connect(to: b, as: "bob")
        #expect(try await bob.join("r").int("members") == 2)
        let told = try await alice.frame("presence") { $0.steps == ["join bob"] }
        #expect(told.int("members") == 2 && told.int("rosterVersion") == version + 1)
        // A second tab is no event, and neither is its end.
        let tab = try await WireClient.connect(to: a, as: "bob")
        try await tab.join("r")
        tab.close()
        _ = await tab.ended()
        let members = try await alice.ask(#""type":"members","roomId":"r""#)
        #expect(
            members.int("count") == 2
                && Set(members.list("members").compactMap { $0["userId"] as? String }) == ["alice", "bob"])
        _ = try await bob.ask(#""type":"leave","roomId":"r""#)
        try await alice.frame("presence") { $0.steps == ["leave bob"] && $0.int("rosterVersion") == version + 2 }
        #expect(alice.frames("presence").flatMap(\.steps) == ["join bob", "leave bob"])
        #expect(bob.frames("presence").isEmpty && tab.frames("presence").isEmpty)
        withExtendedLifetime(cluster) {}
    }

    @Test
    func `a farewell is told at once, a cut connection after the grace, and one that is back within it not at all`()
        async throws
    {
        // Long enough for a busy machine to come back in.
        let (cluster, a, b) = try await Self.start(["MARTLET_PRESENCE_GRACE": "15s"])
        let watcher = try await WireClient.connect(to: a, as: "watcher")
        try await watcher.join("r")
        let watching = try await watcher.ask(#""type":"watch","users":["bye","cut","back","never"]"#)
        #expect(watching.list("users").compactMap { $0["online"] as? Bool } == [false, false, false, false])
        let bye = try await WireClient.connect(to: b, as: "bye")
        let cut = try await WireClient.connect(to: b, as: "cut")
        let back = try await WireClient.connect(to: b, as: "back")
        for client in [bye, cut, back] { try await client.join("r") }
        let start = ContinuousClock.now
        bye.close()
        try await watcher.frame("status") { $0.string("userId") == "bye" && $0.bool("online") == false }
        #expect(ContinuousClock.now - start < .seconds(12))
        let cutAt = ContinuousClock.now
        cut.abort()
        back.abort()
        let again = try await WireClient.connect(to: a, as: "back")
        try await again.join("r")
        // In its grace a user is online without a connection.
        let record = try await b.request("GET", "/v1/users/cut")
        #expect(record.json?["online"] as? Bool == true)
        try await watcher.frame("status") { $0.string("userId") == "cut" && $0.bool("online") == false }
        #expect(ContinuousClock.now - cutAt >= .seconds(14))
        try await watcher.frame("presence") { $0.steps == ["leave cut"] }
        let steps = watcher.frames("presence").flatMap(\.steps)
        #expect(steps.filter { $0.hasSuffix("back") } == ["join back"])
        #expect(
            watcher.frames("status").filter { $0.string("userId") == "back" }.compactMap { $0.bool("online") } == [true]
        )
        let seen = try await a.request("GET", "/v1/users/cut")
        #expect(seen.json?["online"] as? Bool == false && seen.json?["lastSeen"] as? Int != nil)
        #expect(try await a.request("GET", "/v1/users/nobody").status == 404)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a push to users says who was reached, and the inbox keeps it for who was not`() async throws {
        let (cluster, a, b) = try await Self.start()
        let phone = try await WireClient.connect(to: a, as: "alice")
        let laptop = try await WireClient.connect(to: b, as: "alice")
        let answer = try await b.request(
            "POST", "/v1/broadcast", body: #"{"to":{"users":["alice","bob"]},"payload":{"n": 1}}"#)
        let users = answer.json?["users"] as? [[String: Any]]
        #expect(users?.compactMap { $0["online"] as? Bool } == [true, false])
        #expect(users?.compactMap { $0["connections"] as? Int } == [2, 0])
        for client in [phone, laptop] {
            let message = try await client.frame("message") { $0.room == "@alice" }
            #expect(message.text.contains(#""payload":{"n": 1}"#) && message.int("seq") == 1)
        }
        let bob = try await WireClient.connect(to: a, as: "bob")
        let caught = try await bob.ask(#""type":"join","roomId":"@bob","since":{"seq":0}"#)
        #expect(caught.bool("recovered") == true && caught.int("seq") == 1)
        try await bob.frame("message") { $0.room == "@bob" && $0.int("seq") == 1 }
        let history = try await bob.ask(#""type":"history","roomId":"@bob""#)
        #expect(history.list("messages").count == 1)
        #expect(try await bob.ask(#""type":"history","roomId":"@alice""#).string("code") == "forbidden")
        let log = try await a.request("GET", "/v1/rooms/%40bob/messages?after=0")
        #expect((log.json?["messages"] as? [Any])?.count == 1)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a signal reaches the other's connections in the room alone`() async throws {
        let (cluster, a, b) = try await Self.start()
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        let elsewhere = try await WireClient.connect(to: b, as: "bob")
        try await alice.join("call")
        let signal = #""type":"signal","to":"bob","roomId":"call","payload":{"sdp": "x"}"#
        #expect(try await alice.ask(signal).string("code") == "not_found")
        try await bob.join("call")
        #expect(try await alice.ask(signal).type == "ack")
        let got = try await bob.frame("signal")
        #expect(got.text.contains(#""payload":{"sdp": "x"}"#) && got.string("from") == "alice" && got.room == "call")
        _ = try await alice.ask(#""type":"leave","roomId":"call""#)
        #expect(try await alice.ask(signal).string("code") == "not_member")
        _ = try await elsewhere.ask(#""type":"ping""#)
        #expect(elsewhere.frames("signal").isEmpty)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a backend disconnects a user on every node within a second`() async throws {
        let (cluster, a, b) = try await Self.start()
        let clients = [
            try await WireClient.connect(to: a, as: "eve"), try await WireClient.connect(to: b, as: "eve"),
        ]
        let start = ContinuousClock.now
        let answer = try await a.request(
            "POST", "/v1/users/eve/disconnect", body: #"{"code":4403,"reason":"out"}"#)
        #expect(answer.status == 200 && answer.json?["disconnected"] as? Int == 2)
        for client in clients {
            let end = await client.ended()
            #expect(end.code == 4403 && end.reason == "out")
        }
        // A second is promised, and kept where the machine has time for it.
        #expect(ContinuousClock.now - start < .seconds(5))
        try await eventually("eve's end") {
            try await b.request("GET", "/v1/users/eve").json?["online"] as? Bool == false
        }
        withExtendedLifetime(cluster) {}
    }

    @Test(arguments: [("closeOldest", 4409), ("refuseNewest", 4429)])
    func `one connection a user: the oldest is closed with 4409, or the newest with 4429, on whatever node`(
        policy: String, code: UInt16
    ) async throws {
        let (cluster, a, b) = try await Self.start([
            "MARTLET_CLIENT_MAX_CONNECTIONS_PER_USER": "1", "MARTLET_CLIENT_ON_TOO_MANY_CONNECTIONS": policy,
        ])
        let first = try await WireClient.connect(to: a, as: "alice")
        let second = try await WireClient.open(to: b.clientPort, as: "alice")
        let closed = policy == "closeOldest" ? first : second
        #expect(await closed.ended().code == code)
        let kept = policy == "closeOldest" ? second : first
        try await kept.frame("welcome")
        #expect(kept.isOpen)
        try await eventually("one connection") {
            (try await a.request("GET", "/v1/users/alice").json?["connections"] as? [Any])?.count == 1
        }
        withExtendedLifetime(cluster) {}
    }

    @Test func `a user joins and leaves a thousand rooms, a socket closes with joins under way, and nothing stays`()
        async throws
    {
        let (cluster, a, b) = try await Self.start([
            "MARTLET_CLIENT_MESSAGES_PER_SECOND": "100000", "MARTLET_CLIENT_MESSAGE_BURST": "100000",
            "MARTLET_CLIENT_MAX_ROOMS": "1000", "MARTLET_CLIENT_JOIN_BURST": "2000",
        ])
        let alice = try await WireClient.connect(to: a, as: "alice")
        for number in 0..<1000 { alice.send(#"{"id":\#(1_000_000 + number),"type":"join","roomId":"r\#(number)"}"#) }
        try await eventually("all joined", within: .seconds(60)) { alice.frames("joined").count == 1000 }
        #expect(try await b.request("GET", "/v1/rooms?limit=1").json?["total"] as? Int == 1000)
        for number in 0..<1000 { alice.send(#"{"type":"leave","roomId":"r\#(number)"}"#) }
        try await eventually("all left", within: .seconds(60)) { alice.frames("left").count == 1000 }
        let hasty = try await WireClient.connect(to: b, as: "hasty")
        for number in 0..<200 { hasty.send(#"{"type":"join","roomId":"h\#(number)"}"#) }
        hasty.close()
        _ = await hasty.ended()
        try await eventually("no rooms") { try await a.request("GET", "/v1/rooms?limit=1").json?["total"] as? Int == 0 }
        try await eventually("hasty's end") {
            try await a.request("GET", "/v1/users/hasty").json?["online"] as? Bool == false
        }
        #expect(try await b.request("GET", "/v1/users").json?["total"] as? Int == 1)
        withExtendedLifetime(cluster) {}
    }
}
