import Foundation
import Synchronization
import TestKit
import Testing

/// Real nodes that tell a real receiver, while one of them, or Redis, or the receiver is made to fail.
@Suite("Webhooks under fire", .serialized)
struct WebhookFaults {
    private static let secret = "a secret of the end-to-end tests"

    private static func environment(_ server: HookServer, _ more: [String: String] = [:]) -> [String: String] {
        [
            "MARTLET_WEBHOOKS_URL": server.url, "MARTLET_WEBHOOKS_SECRET": secret,
            "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true", "MARTLET_PRESENCE_GRACE": "1s",
        ].merging(more) { $1 }
    }

    /// Waits until the receiver has every transition of the ledger, and compares.
    private static func compare(
        _ fleet: Fleet, _ server: HookServer, _ what: String, within limit: Duration = .seconds(120)
    ) async throws {
        try await eventually("every event", within: limit) {
            let ids = Set(server.events.map(\.id))
            return try await fleet.ledger().count <= ids.count
        }
        let ledger = try await fleet.ledger()
        let account = EventAccount(ledger: ledger, events: server.events)
        print("\(what): \(account)")
        #expect(account.lost == 0)
        #expect(account.outOfOrder == 0)
        #expect(account.ambiguous == 0)
    }

    @Test("one node of three killed: the receiver knows the last of 300 users offline in under 6 s")
    func killedNode() async throws {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(3, environment: Self.environment(server, ["MARTLET_PRESENCE_GRACE": "5s"]))
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
        try await Self.compare(fleet, server, "a node killed")
        withExtendedLifetime(clients) {}
    }

    @Test(
        "a receiver that fails for a while gets everything in order",
        arguments: [
            ("500 twice, then 200", HookServer.Reply.status(500)), ("reset", .reset),
            ("302", .redirect("/elsewhere")), ("slow, 10 s", .late(.seconds(10))),
        ])
    func failingReceiver(name: String, reply: HookServer.Reply) async throws {
        // The first two requests that tell of each partition's users fail; which they are does not matter.
        let server = try await HookServer.start { number, _ in number % 3 != 2 && number < 60 ? reply : .status(200) }
        let fleet = try await Fleet.start(2, environment: Self.environment(server))
        try await Self.churn(fleet, users: 60, rounds: 2)
        try await Self.compare(fleet, server, name, within: .seconds(180))
    }

    @Test("a receiver that is down for a while gets everything in order, and the nodes stay as they are")
    func receiverDown() async throws {
        // A port at which nobody listens until the receiver comes.
        let first = try await HookServer.start()
        let port = first.port
        try await first.stop()
        let fleet = try await Fleet.start(2, environment: Self.environment(first))
        try await Self.churn(fleet, users: 60, rounds: 2)
        let status = try await fleet.nodes[0].request("GET", "/v1/webhooks").json?["webhooks"] as? [[String: Any]]
        #expect(status?.first?["lag"] as? Int ?? 0 > 0 && status?.first?["lastError"] != nil)
        try await fleet.wait(.seconds(10))
        let server = try await HookServer.start(port: port)
        try await Self.compare(fleet, server, "down for 10 s")
    }

    @Test("the sending node killed in the middle of a batch: the others send it again under the same ids")
    func senderKilledInBatch() async throws {
        let killing = Mutex(false)
        let server = try await HookServer.start { number, _ in
            killing.withLock { $0 } ? .never : .late(.milliseconds(20))
        }
        let fleet = try await Fleet.start(3, environment: Self.environment(server))
        killing.withLock { $0 = true }
        let clients = try await each((0..<100).map { "user-\($0)" }) { user in
            try await WireClient.connect(to: fleet.nodes[0], as: user)
        }
        try await eventually("batches under way") { server.mostUnderWay >= 8 }
        fleet.nodes[1].kill9()
        fleet.nodes[2].kill9()
        killing.withLock { $0 = false }
        try await Self.compare(fleet, server, "senders killed in mid-batch")
        withExtendedLifetime(clients) {}
    }

    @Test("all nodes killed and one started: what the ledger holds is still told")
    func allKilled() async throws {
        let gate = Mutex(true)
        let server = try await HookServer.start { _, _ in gate.withLock { $0 } ? .status(503) : .status(200) }
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let fleet = try await Fleet.start(2, options, environment: Self.environment(server))
        try await Self.churn(fleet, users: 50, rounds: 1)
        for node in fleet.nodes { node.kill9() }
        gate.withLock { $0 = false }
        let before = server.events.count
        let last = try await NodeProcess.start(
            nodeId: "n9", redisURL: fleet.redis.url, environment: Self.environment(server))
        try await Self.compare(fleet, server, "all nodes killed, one started")
        #expect(before < server.events.count)
        last.kill9()
    }

    @Test("Redis killed and back under load, partitions moving between three nodes: nothing is lost, all is in order")
    func redisAndPartitions() async throws {
        let server = try await HookServer.start { _, _ in .late(.milliseconds(5)) }
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let fleet = try await Fleet.start(2, options, environment: Self.environment(server))
        async let load: Void = Self.churn(fleet, users: 100, rounds: 4)
        try await fleet.wait(.seconds(1))
        fleet.redis.kill9()
        try fleet.redis.restart(keepingData: true)
        // Each node that comes takes a third of the partitions, and gives them back as it goes.
        for number in 0..<2 {
            let guest = try await NodeProcess.start(
                nodeId: "guest-\(number)", redisURL: fleet.redis.url, environment: Self.environment(server))
            try await fleet.wait(.seconds(2))
            if number == 0 { guest.terminate() } else { guest.kill9() }
            if number == 0 { #expect(await guest.exitStatus() == 0) }
        }
        try await load
        try await Self.compare(fleet, server, "Redis killed, partitions moving")
    }

    @Test("10,000 users offline at once are told, each once in the ledger, in order")
    func tenThousand() async throws {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(
            2, environment: Self.environment(server, ["MARTLET_WEBHOOKS_CONCURRENCY": "16"]))
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
        try await Self.compare(fleet, server, "10,000 offline at once")
        withExtendedLifetime(clients) {}
    }

    /// Users come, join, and go again by one way or another, on all nodes.
    private static func churn(_ fleet: Fleet, users: Int, rounds: Int) async throws {
        for round in 0..<rounds {
            _ = try await each((0..<users).map { $0 }, width: 20) { number in
                let client = try await WireClient.connect(
                    to: fleet.nodes[(number + round) % fleet.nodes.count], as: "user-\(number)")
                try await client.join("room-\(number % 7)")
                if number % 2 == 0 { client.close() } else { client.abort() }
                _ = await client.ended()
            }
        }
        // Those that were cut off are told offline after the grace.
        try await eventually("nobody to be online", within: .seconds(30)) {
            let answer = try await fleet.nodes[0].request("GET", "/v1/stats")
            return answer.json?["users"] as? Int == 0
        }
    }
}

/// What the ledger holds against what the receiver was told.
private struct EventAccount: CustomStringConvertible {
    let transitions: Int
    let received: Int
    let repeats: Int
    /// Events that came first behind a later one of the same user or room.
    let outOfOrder: Int
    let lost: Int
    /// Ids that stood for two events.
    let ambiguous: Int

    init(ledger: [Transition], events: [HookServer.Event]) {
        transitions = ledger.count
        received = events.count
        var first: [HookServer.Event] = []
        var known: [String: HookServer.Event] = [:]
        var clashes = 0
        for event in events {
            if let earlier = known[event.id] {
                if earlier != event { clashes += 1 }
            } else {
                known[event.id] = event
                first.append(event)
            }
        }
        repeats = events.count - first.count
        ambiguous = clashes
        func key(_ type: String, _ user: String, _ room: String, _ cause: String, _ time: Int64) -> String {
            [type, user, room, cause, "\(time)"].joined(separator: " ")
        }
        var left: [String: Int] = [:]
        for one in ledger { left[key(one.type, one.user, one.room, one.cause, one.time), default: 0] += 1 }
        for event in first {
            left[
                key(event.type, event.userId ?? "", event.roomId ?? "", event.cause ?? "", event.timestamp),
                default: 0] -= 1
        }
        lost = left.values.filter { $0 > 0 }.reduce(0, +)
        var latest: [String: (time: Int64, number: Int64)] = [:]
        var late = 0
        for event in first {
            let parts = event.id.split(separator: "-").compactMap { Int64($0) }
            guard parts.count >= 3 else { continue }
            let place = (time: parts[1], number: parts[2])
            let name = event.roomId.map { "room \($0)" } ?? "user \(event.userId ?? "")"
            if let before = latest[name], place < before { late += 1 }
            latest[name] = place
        }
        outOfOrder = late
    }

    var description: String {
        "transitions \(transitions), events \(received), repeats \(repeats), out of order \(outOfOrder), lost \(lost)"
    }
}
