import Foundation
import TestKit
import Testing
import TestSupport

/// Nodes that are killed or held, and what the others say of their users.
@Suite("Presence when nodes die", .serialized)
struct PresenceKillFaults {
    private static let users = (0..<300).map { "user-\($0)" }
    private static func room(_ number: Int) -> String { "room-\(number % 10)" }

    /// Where the registry lies.
    enum Store: CaseIterable {
        case oneServer, cluster
    }

    @Test(arguments: Store.allCases)
    func `one node of three killed: its users are gone within 5 s, each told once, nobody else is touched`(
        _ store: Store
    ) async throws {
        let cluster = store == .cluster ? try await ClusterGroup.start() : nil
        let fleet = if let cluster { try await Fleet.over(cluster, 3) } else { try await Fleet.start(3) }
        let (observer, survivors) = (fleet.nodes[0], [fleet.nodes[0], fleet.nodes[1]])
        let watcher = try await WireClient.connect(to: observer, as: "watcher")
        for number in 0..<10 { try await watcher.join(Self.room(number)) }
        let lost = try await each(Array(Self.users.enumerated())) { number, user in
            let client = try await WireClient.connect(to: fleet.nodes[2], as: user)
            try await client.join(Self.room(number))
            return client
        }
        // Every tenth is there twice, in the same room.
        let doubles = try await each(Array(Self.users.enumerated()).filter { $0.offset % 10 == 0 }) { number, user in
            let client = try await WireClient.connect(to: survivors[number / 10 % 2], as: user)
            try await client.join(Self.room(number))
            return client
        }
        let staying = Set(doubles.map(\.user))
        let leaving = Self.users.filter { !staying.contains($0) }
        let online = try await fleet.online(Self.users, by: observer).count
        #expect(online == 300)

        let killed = ContinuousClock.now
        let killedAt = try await fleet.time()
        fleet.nodes[2].kill9()
        // Looked at until nobody has been shown for a while; when each one was last shown is what counts.
        var ghosts = Dictionary(uniqueKeysWithValues: leaving.map { ($0, Duration.zero) })
        var falselyGone: Set<String> = []
        var lastShown = Duration.zero
        while ContinuousClock.now - killed - lastShown < .seconds(1), ContinuousClock.now - killed < .seconds(30) {
            for node in survivors {
                let online = try await fleet.online(Self.users, by: node)
                let now = ContinuousClock.now - killed
                for user in leaving where online.contains(user) {
                    ghosts[user] = now
                    lastShown = now
                }
                falselyGone.formUnion(staying.subtracting(online))
            }
        }
        try await fleet.wait(.seconds(1))

        let ledger = try await fleet.ledger().filter { $0.time >= killedAt }
        let offline = ledger.filter { $0.type == "user.offline" }
        let left = ledger.filter { $0.type == "member.left" }
        let told = watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave") }
        let seconds = ghosts.values.map { Double($0.components.seconds) + Double($0.components.attoseconds) / 1e18 }
            .sorted()
        let missed = leaving.filter { user in !offline.contains { $0.user == user } || !told.contains("leave \(user)") }
        let falseLeaves = falselyGone.count + told.filter { staying.contains(String($0.dropFirst(6))) }.count
        let doubled = offline.count - Set(offline.map(\.user)).count + told.count - Set(told).count
        print(
            "ghost seconds: longest \(seconds.last ?? 0), median \(seconds[seconds.count / 2]);",
            "false leaves \(falseLeaves), missed leaves \(missed.count), doubled events \(doubled)")
        #expect(seconds.count == leaving.count)
        #expect(seconds.last ?? 99 <= 5)
        #expect(falseLeaves == 0)
        #expect(missed == [])
        #expect(doubled == 0)
        #expect(offline.allSatisfy { $0.cause == "node_lost" } && left.allSatisfy { $0.cause == "node_lost" })
        #expect(Set(offline.map(\.user)) == Set(leaving) && Set(left.map(\.user)) == Set(leaving))
        for node in survivors {
            for number in 0..<10 {
                let expected = staying.filter { Self.room(Int($0.dropFirst(5)) ?? 0) == Self.room(number) }
                let members = try await fleet.members(of: Self.room(number), by: node)
                #expect(members == expected.union(["watcher"]))
            }
            let nodes = try await node.request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
            #expect(nodes?.compactMap { $0["nodeId"] as? String } == ["n0", "n1"])
        }
        withExtendedLifetime((lost, doubles)) {}
        try await cluster?.stop()
    }

    @Test func `every node killed: one that starts then shows nobody within 6 s, and Redis keeps nothing of them`()
        async throws
    {
        let fleet = try await Fleet.start(2)
        let users = Array(Self.users.prefix(100))
        let lost = try await each(Array(users.enumerated())) { number, user in
            let client = try await WireClient.connect(to: fleet.nodes[number % 2], as: user)
            try await client.join(Self.room(number))
            return client
        }
        for node in fleet.nodes { node.kill9() }
        let killed = ContinuousClock.now
        let fresh = try await NodeProcess.start(nodeId: "fresh", redisURL: fleet.redis.url)
        let started = ContinuousClock.now
        try await eventually("an empty house") {
            guard try await fresh.request("GET", "/readyz").status == 200 else { return false }
            return try await fleet.online(users, by: fresh).isEmpty
        }
        print(
            "nobody shown \(ContinuousClock.now - killed) after the kill, \(ContinuousClock.now - started) after the start"
        )
        #expect(ContinuousClock.now - started <= .seconds(6))
        for number in 0..<10 {
            let members = try await fleet.members(of: Self.room(number), by: fresh)
            #expect(members == [])
        }
        let offline = try await fleet.ledger().filter { $0.type == "user.offline" }.map(\.user)
        #expect(Set(offline) == Set(users) && offline.count == users.count)
        withExtendedLifetime(lost) {}
    }

    @Test func `a node held for 8 s: its users go and come back, no socket is closed, nobody stays wrong`() async throws
    {
        let fleet = try await Fleet.start(2)
        let users = Array(Self.users.prefix(60))
        let watcher = try await WireClient.connect(to: fleet.nodes[0], as: "watcher")
        for number in 0..<10 { try await watcher.join(Self.room(number)) }
        let clients = try await each(Array(users.enumerated())) { number, user in
            let client = try await WireClient.connect(to: fleet.nodes[1], as: user)
            try await client.join(Self.room(number))
            return client
        }
        fleet.nodes[1].pause()
        let heldAt = ContinuousClock.now
        try await eventually("the users' going") { try await fleet.online(users, by: fleet.nodes[0]).isEmpty }
        #expect(ContinuousClock.now - heldAt <= .seconds(5))
        try await eventually("8 s") { ContinuousClock.now - heldAt >= .seconds(8) }
        fleet.nodes[1].resume()
        try await eventually("the users' return") {
            for node in fleet.nodes where try await fleet.online(users, by: node).count < users.count { return false }
            return true
        }
        try await fleet.wait(.seconds(2))
        for node in fleet.nodes {
            let online = try await fleet.online(users, by: node)
            #expect(online == Set(users))
            for number in 0..<10 {
                let expected = Set(users.enumerated().filter { $0.offset % 10 == number }.map(\.element))
                let members = try await fleet.members(of: Self.room(number), by: node)
                #expect(members == expected.union(["watcher"]))
            }
        }
        #expect(clients.filter { !$0.isOpen }.map(\.user) == [])
        // Each went once and came back once.
        let steps = watcher.frames("presence").flatMap(\.steps)
        for user in users {
            #expect(steps.filter { $0.hasSuffix(" \(user)") } == ["join \(user)", "leave \(user)", "join \(user)"])
        }
        // And what they say now arrives.
        _ = try await clients[0].ask(#""type":"message","roomId":"\#(Self.room(0))","payload":"back""#)
        try await watcher.frame("message") { $0.string("payload") == "back" }
    }

    @Test func `a second node under the same name gives up, and the first one's users stay`() async throws {
        let fleet = try await Fleet.start(1)
        let client = try await WireClient.connect(to: fleet.nodes[0], as: "alice")
        let (status, output) = try await NodeProcess.run(
            ["serve"],
            environment: [
                "MARTLET_NODE_ID": "n0", "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0",
                "MARTLET_API_KEY": NodeProcess.apiKey, "MARTLET_AUTH_MODE": "none",
                "MARTLET_REDIS_URL": fleet.redis.url,
            ])
        #expect(status != 0 && output.contains("n0"))
        let online = try await fleet.online(["alice"], by: fleet.nodes[0])
        #expect(online == ["alice"])
        #expect(client.isOpen)
        #expect(try await fleet.ledger().filter { $0.user == "alice" }.map(\.type) == ["user.online"])
    }
}
