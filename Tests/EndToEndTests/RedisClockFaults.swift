import TestKit
import Testing
import TestSupport

/// Nodes on a Redis whose clock steps.
@Suite("Redis's clock steps under nodes", .serialized)
struct RedisClockFaults {
    private static let users = (0..<30).map { "user-\($0)" }

    /// Clients on the second node, and one on the first that watches all of them.
    private func populate() async throws -> (fleet: Fleet, clients: [WireClient], watcher: WireClient) {
        var options = RedisServerProcess.Options()
        options.hasSteppableClock = true
        let fleet = try await Fleet.start(2, options)
        let watcher = try await WireClient.connect(to: fleet.nodes[0], as: "watcher")
        try await watcher.join("r")
        let clients = try await each(Self.users) { user in
            let client = try await WireClient.connect(to: fleet.nodes[1], as: user)
            try await client.join("r")
            return client
        }
        return (fleet, clients, watcher)
    }

    @Test func `after a step back by a minute a killed node's users are gone in time, each told once`() async throws {
        let (fleet, clients, watcher) = try await populate()
        try fleet.redis.setClock(off: .seconds(-60))
        try await fleet.wait(.seconds(1))
        let killed = ContinuousClock.now
        fleet.nodes[1].kill9()
        try await eventually("the word of all") {
            watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave user-") }.count
                == Self.users.count
        }
        let taken = ContinuousClock.now - killed
        print("told \(taken) after the kill")
        #expect(taken < .seconds(5))
        let gone = try await fleet.ledger().filter { $0.type == "user.offline" }.map(\.user)
        #expect(gone.sorted() == Self.users.sorted())
        withExtendedLifetime(clients) {}
    }

    @Test(arguments: [60, 3600])
    func `a step forward tells nobody anything, and all are shown as they are`(seconds: Int) async throws {
        let (fleet, clients, watcher) = try await populate()
        let told = watcher.frames("presence").flatMap(\.steps).count
        let before = try await fleet.ledger().count
        try fleet.redis.setClock(off: .seconds(seconds))
        try await fleet.wait(.seconds(5))
        #expect(try await fleet.ledger().count == before)
        #expect(watcher.frames("presence").flatMap(\.steps).count == told)
        #expect(clients.filter { !$0.isOpen }.map(\.user) == [])
        for node in fleet.nodes {
            #expect(try await fleet.online(Self.users, by: node) == Set(Self.users))
            #expect(try await fleet.members(of: "r", by: node) == Set(Self.users + ["watcher"]))
            let nodes = try await node.request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
            #expect(nodes?.compactMap { $0["nodeId"] as? String } == ["n0", "n1"])
            #expect(try await node.request("GET", "/readyz").status == 200)
        }
        _ = try await clients[0].ask(#""type":"message","roomId":"r","payload":"still here""#)
        try await watcher.frame("message") { $0.string("payload") == "still here" }
    }
}
