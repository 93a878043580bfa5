import Foundation
import MartletClient
import TestKit
import TestSupport
import Testing

/// Native clients without a user.
@Suite("Guests over two nodes", .timeLimit(.minutes(4)))
struct GuestTests {
    private static let rules = """
        auth: {guests: true}
        rooms:
          - {pattern: news, allowGuests: [join, history]}
          - {pattern: ticker, allowGuests: [join]}
        """
    private static let secret = "0123456789abcdef0123456789abcdef"

    private static func start(_ environment: [String: String] = [:]) async throws -> Fleet {
        let text = try SettingsText(rules)
        defer { withExtendedLifetime(text) {} }
        return try await Fleet.start(
            2, environment: Cluster.patience.merging(environment) { $1 }, configuration: text.path)
    }

    private static func connections(_ room: String, by node: NodeProcess) async throws -> Int? {
        let answer = try await node.request("GET", "/v1/rooms/\(room)")
        return answer.status == 404 ? nil : answer.json?["connections"] as? Int
    }

    private static func guests(_ node: NodeProcess) async throws -> Int? {
        let text = try await node.request("GET", "/metrics").body
        return text.firstMatch(of: /\nmartlet_guests (\d+)/).flatMap { Int($0.1) }
    }

    private static func token(_ user: String) throws -> String {
        try TestToken.signed(
            #"{"sub":"\#(user)","exp":\#(Int(Date().timeIntervalSince1970) + 3600)}"#, secret: secret)
    }

    private static func say(_ count: Int, in room: String, by client: WireClient) async throws {
        for number in 1...count {
            let ack = try await client.ask(#""type":"message","roomId":"\#(room)","payload":\#(number)"#)
            #expect(ack.type == "ack")
        }
    }

    @Test func `a guest hears an open room and everyone, once each, and neither is told of nor tells of anybody`()
        async throws
    {
        let fleet = try await Self.start()
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let guest = try await WireClient.guest(to: a)
        let welcome = try await guest.frame("welcome")
        #expect(welcome.string("userId") == nil && welcome.string("session") == nil)
        #expect((welcome.fields["positions"] as? [String: Any])?.keys.sorted() == ["*"])
        #expect(welcome.fields["limits"] != nil)
        let alice = try await WireClient.connect(to: b, as: "alice")
        try await alice.join("news")
        let joined = try await guest.join("news")
        #expect(joined.type == "joined" && joined.int("members") == nil)
        try await Self.say(3, in: "news", by: alice)
        _ = try await b.request("POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":"all"}"#)
        try await guest.frame("message") { $0.room == "*" }
        try await eventually("all of them") { guest.frames("message").count { $0.room == "news" } == 3 }
        #expect(guest.frames("message").compactMap { $0.int("payload") } == [1, 2, 3])

        let bob = try await WireClient.connect(to: a, as: "bob")
        try await bob.join("news")
        try await alice.frame("presence") { $0.steps == ["join bob"] }
        try await eventually("the count") { try await Self.connections("news", by: b) == 3 }
        let room = try await b.request("GET", "/v1/rooms/news").json
        #expect(room?["members"] as? Int == 2)
        #expect(try await fleet.members(of: "news", by: b) == ["alice", "bob"])
        #expect(try await b.request("GET", "/v1/users").json?["total"] as? Int == 2)
        try await eventually("the counts of the nodes") {
            let nodes = try await b.request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
            return nodes?.compactMap { $0["connections"] as? Int }.sorted() == [1, 2]
        }
        try await eventually("the gauge") { try await Self.guests(a) == 1 }
        #expect(guest.frames("presence").isEmpty)
        #expect(alice.frames("presence").flatMap(\.steps) == ["join bob"])

        for request in [
            #""type":"message","roomId":"news","payload":1"#, #""type":"members","roomId":"news""#,
            #""type":"watch","users":["alice"]"#, #""type":"signal","to":"alice","roomId":"news","payload":1"#,
            #""type":"state","state":"away""#, #""type":"join","roomId":"secret""#, #""type":"join","roomId":"@alice""#,
        ] {
            #expect(try await guest.ask(request).string("code") == "forbidden")
        }
        let page = try await guest.ask(#""type":"history","roomId":"news","limit":2"#)
        #expect(page.list("messages").compactMap { $0["payload"] as? Int } == [2, 3])
        #expect(try await guest.ask(#""type":"history","roomId":"ticker""#).string("code") == "forbidden")

        // Whoever knows its name can end it.
        let name = try #require(welcome.string("connectionId"))
        let ended = try await b.request("POST", "/v1/connections/\(name)/disconnect", body: "{}")
        #expect(ended.status == 200)
        #expect(await guest.ended().code == 4403)
        try await eventually("those who are left") { try await Self.connections("news", by: a) == 2 }
    }

    @Test func `a node killed with all guests of a room: it is vacated once, and who comes back loses nothing`()
        async throws
    {
        let server = try await HookServer.start()
        let fleet = try await Self.start(Fleet.webhooks(server, ["MARTLET_PRESENCE_GRACE": "5s"]))
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let guests = try await each(Array(0..<20)) { _ in
            let guest = try await WireClient.guest(to: a)
            try await guest.join("news")
            return guest
        }
        let listener = try await WireClient.guest(to: a)
        try await listener.join("ticker")
        try await eventually("all of them") { try await Self.connections("news", by: b) == 20 }
        @Sendable func told(_ room: String) -> [String] {
            server.events.filter { $0.roomId == room }.map { $0.type + ($0.cause.map { " \($0)" } ?? "") }
        }
        try await eventually("the first") { told("news") == ["room.occupied"] }
        func send(_ room: String, _ payloads: ClosedRange<Int>) async throws {
            for payload in payloads {
                let body = #"{"to":{"rooms":["\#(room)"]},"payload":\#(payload)}"#
                #expect(try await b.request("POST", "/v1/broadcast", body: body).status == 200)
            }
        }
        for room in ["news", "ticker"] { try await send(room, 1...3) }
        try await guests[0].frame("message") { $0.int("seq") == 3 }
        try await listener.frame("message") { $0.int("seq") == 3 }
        let joined = try #require(guests[0].frames("joined").first)
        let epoch = try #require(joined.string("epoch"))
        let tickerEpoch = try #require(listener.frames("joined").first?.string("epoch"))
        a.kill9()
        for room in ["news", "ticker"] { try await send(room, 4...6) }
        try await eventually("the end", within: .seconds(20)) { told("news").count == 2 }
        #expect(told("news") == ["room.occupied", "room.vacated node_lost"])
        #expect(try await Self.connections("news", by: b) ?? 0 == 0)

        let back = try await WireClient.guest(to: b)
        let again = try await back.ask(
            #""type":"join","roomId":"news","since":{"epoch":"\#(epoch)","seq":3}"#)
        #expect(again.bool("recovered") == true)
        try await send("news", 7...8)
        try await back.frame("message") { $0.int("seq") == 8 }
        #expect(back.frames("message").compactMap { $0.int("payload") } == [4, 5, 6, 7, 8])
        // Without history the past is lost, and that is said.
        let late = try await back.ask(
            #""type":"join","roomId":"ticker","since":{"epoch":"\#(tickerEpoch)","seq":3}"#)
        #expect(late.type == "joined" && late.bool("recovered") == false && late.int("seq") == 6)
        try await eventually("occupied anew") { told("news").last == "room.occupied" }
        back.close()
        try await eventually("vacated anew") { told("news").last == "room.vacated closed" }
        withExtendedLifetime((guests, listener)) {}
    }

    @Test func `a token in the first frame makes a user of a guest, and later ones do not`() async throws {
        let fleet = try await Self.start(["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": Self.secret])
        let node = fleet.nodes[0]
        let token = try Self.token("alice")
        let alice = try await WireClient.guest(to: node)
        alice.send(#"{"type":"auth","token":"\#(token)"}"#)
        let welcome = try await alice.frame("welcome") { $0.string("userId") == "alice" }
        #expect(welcome.string("session") != nil)
        #expect((welcome.fields["positions"] as? [String: Any])?.keys.sorted() == ["*", "@alice"])
        try await alice.join("secret")
        #expect(try await fleet.online(["alice"], by: fleet.nodes[1]) == ["alice"])
        try await eventually("no guest") { try await Self.guests(node) == 0 }
        _ = try await node.request("POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":1}"#)
        try await alice.frame("message") { $0.room == "*" }
        let late = try await WireClient.guest(to: node)
        try await late.join("news")
        #expect(try await late.ask(#""type":"auth","token":"\#(token)""#).string("code") == "forbidden")
        #expect(late.isOpen)
        let bad = try await WireClient.guest(to: node)
        bad.send(#"{"type":"auth","token":"no"}"#)
        #expect(await bad.ended().code == 4401)
        try await eventually("one left") { try await Self.guests(node) == 1 }
        #expect(alice.frames("message").count { $0.room == "*" } == 1)

        var configuration = MartletClient.Configuration(url: node.clientURL, credentials: .guest)
        configuration.firstDelay = .milliseconds(50)
        let client = try MartletClient(configuration: configuration)
        #expect(try await client.connect().userId == nil)
        #expect(try await client.join("news").members == nil)
        await client.close()
    }

    @Test func `a node that drains asks guests to come back, and a guest that floods is closed alone`() async throws {
        let fleet = try await Self.start(["MARTLET_DRAIN_TIMEOUT": "3s"])
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let alice = try await WireClient.connect(to: a, as: "alice")
        try await alice.join("news")
        let quiet = try await WireClient.guest(to: a)
        try await quiet.join("news")
        let flood = try await WireClient.guest(to: a)
        try await flood.join("news")
        // Ten bursts that are refused, and more.
        for number in 0..<5000 { flood.send(#"{"type":"message","roomId":"news","payload":\#(number)}"#) }
        #expect(await flood.ended().code == 4429)
        #expect(flood.frames("error").contains { $0.string("code") == "forbidden" })
        try await Self.say(3, in: "news", by: alice)
        try await quiet.frame("message") { $0.int("payload") == 3 }
        #expect(quiet.frames("message").count == 3)
        a.terminate()
        try await quiet.frame("reconnect")
        quiet.close()
        let back = try await WireClient.guest(to: b)
        #expect(try await back.join("news").type == "joined")
        #expect(await a.exitStatus() == 0)
        try await eventually("those who are left") { try await Self.connections("news", by: b) == 1 }
    }

    @Test func `Redis cut off: guests stay, others are greeted all the same, and all are counted once it is back`()
        async throws
    {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let text = try SettingsText(Self.rules)
        defer { withExtendedLifetime(text) {} }
        let fleet = try await Fleet.over(redis, configuration: text.path) { _, _ in "redis://127.0.0.1:\(proxy.port)" }
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let early = try await WireClient.guest(to: a)
        try await early.join("news")
        try await proxy.refuse(true)
        try await proxy.cutAll()
        let late = try await WireClient.guest(to: b)
        #expect((try await late.frame("welcome").fields["positions"] as? [String: Any])?.isEmpty == true)
        try await proxy.refuse(false)
        try await fleet.ready()
        try await late.frame("gap") { $0.room == "*" }
        try await late.join("news")
        try await eventually("both of them") { try await Self.connections("news", by: a) == 2 }
        let body = #"{"to":{"rooms":["news"]},"payload":1}"#
        #expect(try await a.request("POST", "/v1/broadcast", body: body).status == 200)
        for guest in [early, late] {
            try await guest.frame("message") { $0.room == "news" }
            #expect(guest.frames("message").count == 1 && guest.isOpen)
        }
        #expect(early.frames("gap").isEmpty)
    }

    @Test func `a backend that allows a client and names nobody has a guest`() async throws {
        let backend = try await AskedBackend.start()
        let text = try SettingsText(Self.rules)
        defer { withExtendedLifetime(text) {} }
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: backend.environment(), configuration: text.path)
        backend.answer(.text(#"{"allow":true,"rooms":{"*":["join","publish"]}}"#))
        let guest = try await WireClient.guest(to: node)
        #expect(try await guest.frame("welcome").string("userId") == nil)
        #expect(try await guest.join("news").type == "joined")
        #expect(try await guest.join("secret").string("code") == "forbidden")
    }
}
