import Foundation
import Synchronization
import TestKit
import Testing
import TestSupport

/// Real nodes that tell a real receiver, while one of them, or Redis, or the receiver is made to fail.
@Suite("Webhooks under fire", .serialized)
struct WebhookFaults {
    @Test func `one node of three killed: the receiver knows the last of 300 users offline in under 6 s`() async throws
    {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(3, environment: Fleet.webhooks(server, ["MARTLET_PRESENCE_GRACE": "5s"]))
        let users = (0..<300).map { "user-\($0)" }
        let clients = try await each(users) { user in
            let client = try await WireClient.connect(to: fleet.nodes[2], as: user)
            try await client.join("room-\(abs(user.hashValue) % 10)")
            return client
        }
        try await eventually("all online") { server.events.count { $0.type == "user.online" } >= 300 }
        let killed = ContinuousClock.now
        fleet.nodes[2].kill9()
        try await eventually("all offline") {
            Set(server.events.filter { $0.type == "user.offline" }.compactMap(\.userId)).count == 300
        }
        let took = ContinuousClock.now - killed
        print("the last of 300 users known to be offline \(took) after the kill")
        #expect(took < .seconds(6))
        #expect(server.events.filter { $0.type == "user.offline" }.allSatisfy { $0.cause == "node_lost" })
        try await EventAccount.compare(fleet, server, "a node killed")
        withExtendedLifetime(clients) {}
    }

    @Test(
        arguments: [
            ("500 twice, then 200", HookServer.Reply.status(500)), ("reset", .reset),
            ("302", .redirect("/elsewhere")), ("slow, 10 s", .late(.seconds(10))),
        ])
    func `a receiver that fails for a while gets everything in order`(name: String, reply: HookServer.Reply)
        async throws
    {
        // The first two requests that tell of each partition's users fail; which they are does not matter.
        let server = try await HookServer.start { number, _ in number % 3 != 2 && number < 60 ? reply : .status(200) }
        let fleet = try await Fleet.start(2, environment: Fleet.webhooks(server))
        try await fleet.churn(users: 60, rounds: 2)
        try await EventAccount.compare(fleet, server, name, within: .seconds(180))
    }

    @Test(arguments: [true, false])
    func `sending nodes killed, or told to end, in the middle of a batch: the other sends it again under the same ids`(
        isKilled: Bool
    ) async throws {
        let killing = Mutex(false)
        let server = try await HookServer.start { number, _ in
            killing.withLock { $0 } ? .never : .late(.milliseconds(20))
        }
        let fleet = try await Fleet.start(3, environment: Fleet.webhooks(server))
        killing.withLock { $0 = true }
        let clients = try await each((0..<100).map { "user-\($0)" }) { user in
            try await WireClient.connect(to: fleet.nodes[0], as: user)
        }
        try await eventually("batches under way") { server.mostUnderWay >= 8 }
        for node in fleet.nodes.dropFirst() { isKilled ? node.kill9() : node.terminate() }
        if !isKilled {
            for node in fleet.nodes.dropFirst() { #expect(await node.exitStatus() == 0) }
        }
        killing.withLock { $0 = false }
        try await EventAccount.compare(fleet, server, "senders \(isKilled ? "killed" : "told to end") in mid-batch")
        withExtendedLifetime(clients) {}
    }

    @Test func `all nodes killed and one started: what the ledger holds is still told`() async throws {
        let gate = Mutex(true)
        let server = try await HookServer.start { _, _ in gate.withLock { $0 } ? .status(503) : .status(200) }
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let fleet = try await Fleet.start(2, options, environment: Fleet.webhooks(server))
        try await fleet.churn(users: 50, rounds: 1)
        for node in fleet.nodes { node.kill9() }
        gate.withLock { $0 = false }
        let before = server.events.count
        let last = try await NodeProcess.start(
            nodeId: "n9", redisURL: fleet.redis.url, environment: Fleet.webhooks(server))
        try await EventAccount.compare(fleet, server, "all nodes killed, one started")
        #expect(before < server.events.count)
        last.kill9()
    }

    @Test func `who goes while Redis is away is told offline once, though Redis comes back empty`() async throws {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(2, environment: Fleet.webhooks(server, ["MARTLET_PRESENCE_GRACE": "8s"]))
        let (first, second) = (fleet.nodes[0], fleet.nodes[1])
        let watcher = try await WireClient.connect(to: second, as: "watcher")
        let closing = try await WireClient.connect(to: first, as: "closing")
        let losing = try await WireClient.connect(to: first, as: "losing")
        let leaving = try await WireClient.connect(to: first, as: "doubled")
        let staying = try await WireClient.connect(to: second, as: "doubled")
        let all = [watcher, closing, losing, leaving, staying]
        for client in all { try await client.join("r") }
        @Sendable func events(_ type: String, of user: String) -> [String?] {
            server.events.filter { $0.type == type && $0.userId == user }.map(\.cause)
        }
        try await eventually("all told") {
            ["watcher", "closing", "losing", "doubled"].allSatisfy { user in
                !events("user.online", of: user).isEmpty && !events("member.joined", of: user).isEmpty
            }
        }
        fleet.redis.kill9()
        closing.close()
        losing.abort()
        leaving.close()
        for client in [closing, losing, leaving] { _ = await client.ended() }
        try fleet.redis.restart(keepingData: false)
        try await fleet.ready()
        let gone = ["closing": "closed", "losing": "lost"]
        try await eventually("their going", within: .seconds(45)) {
            gone.keys.allSatisfy { user in
                !events("user.offline", of: user).isEmpty && !events("member.left", of: user).isEmpty
            }
        }
        // Whoever is told twice is so by now, and so is who is told wrongly.
        try await fleet.wait(.seconds(10))
        for (user, cause) in gone {
            #expect(events("user.offline", of: user) == [cause])
            #expect(events("member.left", of: user) == [cause])
            #expect(watcher.frames("presence").flatMap(\.steps).count { $0 == "leave \(user)" } == 1)
        }
        for user in ["watcher", "doubled"] {
            #expect(events("user.offline", of: user) == [] && events("member.left", of: user) == [])
        }
        for node in fleet.nodes {
            #expect(try await fleet.members(of: "r", by: node) == ["watcher", "doubled"])
            #expect(try await fleet.online(["closing", "losing", "doubled"], by: node) == ["doubled"])
        }
        withExtendedLifetime(all) {}
    }

    @Test
    func `Redis killed and back under load, partitions moving between three nodes: nothing is lost, all is in order`()
        async throws
    {
        let server = try await HookServer.start { _, _ in .late(.milliseconds(5)) }
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let environment = Fleet.webhooks(server, ["MARTLET_REDIS_FAILOVER_GRACE": "15s"])
        let fleet = try await Fleet.start(2, options, environment: environment)
        async let load: Void = fleet.churn(users: 100, rounds: 4)
        try await fleet.wait(.seconds(1))
        fleet.redis.kill9()
        try fleet.redis.restart(keepingData: true)
        // Each node that comes takes a third of the partitions, and gives them back as it goes.
        for number in 0..<2 {
            let guest = try await NodeProcess.start(
                nodeId: "guest-\(number)", redisURL: fleet.redis.url, environment: environment)
            try await fleet.wait(.seconds(2))
            if number == 0 { guest.terminate() } else { guest.kill9() }
            if number == 0 { #expect(await guest.exitStatus() == 0) }
        }
        try await load
        try await EventAccount.compare(fleet, server, "Redis killed, partitions moving")
    }

    @Test func `10,000 users offline at once are told, each once in the ledger, in order`() async throws {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(
            2, environment: Fleet.webhooks(server, ["MARTLET_WEBHOOKS_CONCURRENCY": "16"]))
        let users = (0..<10_000).map { "user-\($0)" }
        let clients = try await each(users, width: 64) { user in
            try await WireClient.connect(to: fleet.nodes[1], as: user)
        }
        let killed = ContinuousClock.now
        fleet.nodes[1].kill9()
        try await eventually("all offline", within: .seconds(120)) {
            server.events.count { $0.type == "user.offline" } >= 10_000
        }
        print("10,000 users known to be offline \(ContinuousClock.now - killed) after the kill")
        try await EventAccount.compare(fleet, server, "10,000 offline at once")
        withExtendedLifetime(clients) {}
    }
}
