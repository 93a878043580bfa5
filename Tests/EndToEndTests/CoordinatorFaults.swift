import Foundation
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A node that is stopped in the midst of what it does for others, and finds its place taken when it goes on.
@Suite("Coordinators that stall", .serialized)
struct CoordinatorFaults {
    private static let partition = Partition(number: 7)

    @Test
    func
        `one stopped in the midst of a sweep of 300 users: another ends it, each is told once, the rest moves nothing`()
        async throws
    {
        let redis = try RedisServerProcess()
        let proxies = try await each([0, 1, 2]) { _ in
            try await FaultProxy.start(target: .unix(path: redis.socketPath))
        }
        let fleet = try await Fleet.over(redis, 3) { number, _ in "redis://127.0.0.1:\(proxies[number].port)" }
        let key = Keys(prefix: "m").coordinator(Self.partition).name
        try await eventually("a coordinator") { try await redis.cli("GET", key).hasPrefix("n") }
        let before = try await redis.cli("GET", key)
        let stalled = try #require(fleet.nodes.indices.first { before.hasPrefix("n\($0):") })
        let others = fleet.nodes.indices.filter { $0 != stalled }
        let (victim, survivor) = (fleet.nodes[others[0]], fleet.nodes[others[1]])

        let users = Self.names("user", 300)
        let room = Self.names("room", 1)[0]
        let watcher = try await WireClient.connect(to: survivor, as: "watcher")
        try await watcher.join(room)
        let bystander = try await WireClient.connect(to: fleet.nodes[stalled], as: "bystander")
        let clients = try await each(users) { user in
            let client = try await WireClient.connect(to: victim, as: user)
            try await client.join(room)
            return client
        }
        // Two ways to Redis lie between one batch and the next: time enough to stop it there.
        try await proxies[stalled].treat(.toServer, .delay(.milliseconds(400)))
        victim.kill9()
        try await eventually("the sweep's beginning") { try await !Self.gone(fleet).isEmpty }
        fleet.nodes[stalled].pause()
        // What it had sent and Redis had not yet got is late by as much.
        try await proxies[stalled].treat(.toServer, .hold)
        let first = try await Self.gone(fleet).count
        #expect(first < 300)

        try await eventually("the sweep's end, by another") { try await Self.gone(fleet).count >= 301 }
        let after = try await redis.cli("GET", key)
        #expect(after.hasPrefix("n\(others[1]):"))
        #expect(try #require(Self.number(after)) > (try #require(Self.number(before))))
        print("stopped after \(first) of 300 users were told; coordinator before: \(before), after: \(after)")

        fleet.nodes[stalled].resume()
        try await proxies[stalled].treat(.toServer, .pass)
        try await eventually("the stopped one's return") {
            guard try await fleet.nodes[stalled].request("GET", "/readyz").status == 200 else { return false }
            return try await fleet.online(users + ["bystander"], by: survivor) == ["bystander"]
        }
        // Longer than a lease: whatever it meant to do has been done or refused.
        try await fleet.wait(.seconds(4))
        let gone = try await Self.gone(fleet)
        #expect(gone.sorted() == (users + ["bystander"]).sorted())
        let left = try await fleet.ledger().filter { $0.type == "member.left" }.map(\.user)
        #expect(left.sorted() == users.sorted())
        let told = watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave") }
        #expect(told.sorted() == users.map { "leave \($0)" }.sorted())
        #expect(try await survivor.members(of: room) == ["watcher"])
        #expect(bystander.isOpen && watcher.isOpen)
        for proxy in proxies { try await proxy.stop() }
        withExtendedLifetime(clients) {}
    }

    /// Who was told offline, in all partitions.
    private static func gone(_ fleet: Fleet) async throws -> [String] {
        try await fleet.ledger().filter { $0.type == "user.offline" }.map(\.user)
    }

    /// The number of a coordinator's fencing token, `node:incarnation number`.
    private static func number(_ token: String) -> Int? { token.split(separator: " ").last.flatMap { Int($0) } }

    /// Names of users or rooms that all lie in one partition.
    private static func names(_ kind: String, _ count: Int) -> [String] {
        let all = (0...).lazy.map { "\(kind)-\($0)" }.filter { Partition(of: $0) == partition }
        return Array(all.prefix(count))
    }
}
