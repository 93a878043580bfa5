import Foundation
import TestKit
import Testing
import TestSupport

/// What a broken, emptied or unreachable Redis does to presence: a dead Redis tells nobody offline.
@Suite("Presence when Redis fails", .serialized)
struct PresenceOutageFaults {
    private static let users = (0..<60).map { "user-\($0)" }
    private static func room(_ number: Int) -> String { "room-\(number % 6)" }

    /// Sixty users over two nodes, in six rooms.
    private static func populate(_ fleet: Fleet) async throws -> [WireClient] {
        try await each(Array(users.enumerated())) { number, user in
            let client = try await WireClient.connect(to: fleet.nodes[number % 2], as: user)
            try await client.join(room(number))
            return client
        }
    }

    /// All as it should be, by either node, and no socket closed.
    private static func expectWhole(_ fleet: Fleet, _ clients: [WireClient]) async throws {
        for node in fleet.nodes {
            let online = try await fleet.online(users, by: node)
            #expect(online == Set(users))
            for number in 0..<6 {
                let expected = Set(users.enumerated().filter { $0.offset % 6 == number }.map(\.element))
                let members = try await fleet.members(of: room(number), by: node)
                #expect(members == expected)
            }
        }
        #expect(clients.filter { !$0.isOpen }.map(\.user) == [])
    }

    private static func options() -> RedisServerProcess.Options {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        return options
    }

    @Test func `Redis killed and back with its data after 4 s: nobody is told offline`() async throws {
        let fleet = try await Fleet.start(2, Self.options())
        let clients = try await Self.populate(fleet)
        fleet.redis.kill9()
        try await fleet.wait(.seconds(4))
        try fleet.redis.restart(keepingData: true)
        try await fleet.ready()
        try await fleet.wait(.seconds(8))
        try await Self.expectWhole(fleet, clients)
        let gone = try await fleet.ledger().filter { $0.type == "user.offline" || $0.type == "member.left" }
        #expect(gone == [])
        #expect(clients.flatMap { $0.frames("presence") }.flatMap(\.steps).filter { $0.hasPrefix("leave") } == [])
    }

    @Test func `Redis back empty: everybody is registered again within 6 s, and clients are told no leave`()
        async throws
    {
        let fleet = try await Fleet.start(2)
        let clients = try await Self.populate(fleet)
        try fleet.redis.restart(keepingData: false)
        let back = ContinuousClock.now
        try await eventually("everybody's return") {
            guard try await fleet.nodes[0].request("GET", "/readyz").status == 200 else { return false }
            guard try await fleet.online(Self.users, by: fleet.nodes[0]) == Set(Self.users) else { return false }
            for number in 0..<6 where try await fleet.members(of: Self.room(number), by: fleet.nodes[1]).count != 10 {
                return false
            }
            return true
        }
        print("rebuilt \(ContinuousClock.now - back) after Redis was back")
        #expect(ContinuousClock.now - back <= .seconds(6))
        try await Self.expectWhole(fleet, clients)
        let ledger = try await fleet.ledger()
        #expect(ledger.filter { $0.type == "user.offline" } == [])
        let online = ledger.filter { $0.type == "user.online" }
        #expect(Set(online.map(\.user)) == Set(Self.users) && online.allSatisfy { $0.cause == "restored" })
        #expect(clients.flatMap { $0.frames("presence") }.flatMap(\.steps).filter { $0.hasPrefix("leave") } == [])
    }

    @Test func `Redis paused for 5 s: nobody is told offline, by nobody`() async throws {
        let fleet = try await Fleet.start(2)
        let clients = try await Self.populate(fleet)
        fleet.redis.pause()
        try await fleet.wait(.seconds(5))
        fleet.redis.resume()
        try await fleet.ready()
        try await fleet.wait(.seconds(6))
        try await Self.expectWhole(fleet, clients)
        let gone = try await fleet.ledger().filter { $0.type == "user.offline" || $0.type == "member.left" }
        #expect(gone == [])
    }

    @Test func `who came while Redis stood still, and went before it answered, is online to nobody after it`()
        async throws
    {
        // So long a grace that whoever gets one is seen.
        let fleet = try await Fleet.start(1, environment: ["MARTLET_PRESENCE_GRACE": "60s"])
        let node = fleet.nodes[0]
        let watcher = try await WireClient.connect(to: node, as: "watcher")
        let ghosts = ["waiting", "closing", "aborting"]
        _ = try await watcher.ask(#""type":"watch","users":["waiting","closing","aborting"]"#)
        fleet.redis.pause()
        let clients = try await each(ghosts) { try await WireClient.open(to: node.clientPort, as: $0, node: node) }
        try await fleet.wait(.seconds(1))
        clients[1].close()
        clients[2].abort()
        for client in clients { _ = await client.ended() }
        #expect(clients[0].closeCode == 4503)
        #expect(clients.allSatisfy { $0.frames("welcome").isEmpty })
        fleet.redis.resume()
        try await fleet.ready()
        // Behind it nothing of them is under way any more.
        _ = try await WireClient.connect(to: node, as: "late")
        try await eventually("their end", within: .seconds(20)) {
            let told = try await fleet.ledger()
            return try await fleet.online(ghosts, by: node).isEmpty
                && ghosts.allSatisfy { ghost in
                    let kinds = told.filter { $0.user == ghost }.map(\.type)
                    return kinds.count { $0 == "user.online" } == kinds.count { $0 == "user.offline" }
                }
        }
        try await eventually("what watchers know", within: .seconds(20)) {
            ghosts.allSatisfy { ghost in
                watcher.frames("status").last { $0.string("userId") == ghost }?.bool("online") != true
            }
        }
    }

    @Test
    func `one node cut off from a living Redis for 5 s, with joins and leaves under way: its users go and return`()
        async throws
    {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis) { $0 == 1 ? "redis://127.0.0.1:\(proxy.port)" : $1 }
        let clients = try await Self.populate(fleet)
        let watcher = try await WireClient.connect(to: fleet.nodes[0], as: "watcher")
        for number in 0..<6 { try await watcher.join(Self.room(number)) }
        let cut = Self.users.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        // Every fourth of them moves to another room as the link goes.
        let moving = clients.filter { cut.contains($0.user) }.enumerated().filter { $0.offset % 4 == 0 }.map(\.element)
        for client in moving {
            client.send(#"{"type":"leave","roomId":"\#(Self.room(Int(client.user.dropFirst(5)) ?? 0))"}"#)
            client.send(#"{"id":"move","type":"join","roomId":"elsewhere"}"#)
        }
        try await proxy.refuse(true)
        try await proxy.cutAll()
        let cutAt = ContinuousClock.now
        try await eventually("their going") {
            try await fleet.online(Self.users, by: fleet.nodes[0]).isDisjoint(with: cut)
        }
        print("told offline \(ContinuousClock.now - cutAt) after the cut")
        try await eventually("5 s") { ContinuousClock.now - cutAt >= .seconds(5) }
        try await proxy.refuse(false)
        try await fleet.ready()
        // Whoever was told `unavailable` is not in the room; whoever was told `joined` is.
        try await eventually("an answer for all who moved") {
            moving.allSatisfy { $0.frames.contains { $0.string("id") == "move" } }
        }
        let moved = Set(moving.filter { !$0.frames("joined").filter { $0.room == "elsewhere" }.isEmpty }.map(\.user))
        try await eventually("their return") {
            guard try await fleet.online(Self.users, by: fleet.nodes[0]) == Set(Self.users) else { return false }
            return try await fleet.members(of: "elsewhere", by: fleet.nodes[0]) == moved
        }
        print("of \(moving.count) joins under way at the cut, \(moved.count) succeeded")
        try await fleet.wait(.seconds(2))
        #expect(clients.filter { !$0.isOpen }.map(\.user) == [])
        for node in fleet.nodes {
            for number in 0..<6 {
                let there = Set(Self.users.enumerated().filter { $0.offset % 6 == number }.map(\.element))
                let members = try await fleet.members(of: Self.room(number), by: node)
                #expect(members == there.subtracting(moving.map(\.user)).union(["watcher"]))
            }
            let elsewhere = try await fleet.members(of: "elsewhere", by: node)
            #expect(elsewhere == moved)
        }
        let ledger = try await fleet.ledger()
        for user in cut {
            #expect(ledger.filter { $0.user == user && $0.type == "user.offline" }.count == 1)
            #expect(ledger.filter { $0.user == user && $0.type == "user.online" }.count == 2)
        }
        for user in Set(Self.users).subtracting(cut) {
            #expect(ledger.filter { $0.user == user && $0.type == "user.offline" } == [])
        }
        try await proxy.stop()
    }

    @Test func `the subscription link cut alone: what it lost is told, and nobody goes`() async throws {
        let fleet = try await Fleet.start(2)
        let clients = try await Self.populate(fleet)
        let watcher = try await WireClient.connect(to: fleet.nodes[0], as: "watcher")
        try await watcher.join("quiet")
        _ = try await watcher.ask(#""type":"watch","users":["late","leaver"]"#)
        let leaver = try await WireClient.connect(to: fleet.nodes[1], as: "leaver")
        try await leaver.join("quiet")
        try await watcher.frame("status") { $0.string("userId") == "leaver" && $0.bool("online") == true }
        try await watcher.frame("presence") { $0.steps == ["join leaver"] }
        let rosterBefore = watcher.frames("presence").last?.int("rosterVersion") ?? 0

        // Both are on the way while no subscription stands.
        async let cut = fleet.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        let late = try await WireClient.connect(to: fleet.nodes[1], as: "late")
        try await late.join("quiet")
        leaver.close()
        _ = try await cut
        try await watcher.frame("status") { $0.string("userId") == "late" && $0.bool("online") == true }
        try await watcher.frame("status") { $0.string("userId") == "leaver" && $0.bool("online") == false }
        let version = try await fleet.nodes[0].request("GET", "/v1/rooms/quiet/members").json?["rosterVersion"] as? Int
        try await eventually("the roster's version") {
            watcher.frames("presence").last?.int("rosterVersion") == version
        }
        #expect((version ?? 0) > rosterBefore)
        try await Self.expectWhole(fleet, clients)
        let gone = try await fleet.ledger().filter { $0.type == "user.offline" }.map(\.user)
        #expect(gone == ["leaver"])
    }

    @Test func `a full Redis: leaves and sweeps still work`() async throws {
        let fleet = try await Fleet.start(2)
        let staying = try await WireClient.connect(to: fleet.nodes[0], as: "staying")
        let leaving = try await WireClient.connect(to: fleet.nodes[0], as: "leaving")
        let killed = try await WireClient.connect(to: fleet.nodes[1], as: "killed")
        for client in [staying, leaving, killed] { try await client.join("r") }
        _ = try await fleet.redis.cli("CONFIG", "SET", "maxmemory", "1mb")
        _ = try await leaving.ask(#""type":"leave","roomId":"r""#)
        fleet.nodes[1].kill9()
        try await staying.frame("presence") { $0.steps == ["leave leaving"] }
        try await staying.frame("presence") { $0.steps == ["leave killed"] }
        let members = try await fleet.members(of: "r", by: fleet.nodes[0])
        #expect(members == ["staying"])
        leaving.close()
        try await eventually("leaving's end") { try await fleet.online(["leaving"], by: fleet.nodes[0]).isEmpty }
    }
}
