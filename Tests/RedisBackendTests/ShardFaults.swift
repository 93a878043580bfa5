import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Nodes whose URL leads to a Cluster, on real ones.
@Suite("Redis Cluster", .serialized)
struct ShardFaults {
    /// A room of each shard, in the shards' order.
    private static func rooms(of group: ClusterGroup) async throws -> [RoomName] {
        var rooms: [Int: RoomName] = [:]
        for number in 0..<64 where rooms.count < group.shards.count {
            let room = RoomName(unchecked: "room-\(number)")
            let slot = try await group.slot(of: Partition.tags[Partition(of: room).number])
            rooms[try await group.primary(of: slot).shard] = room
        }
        return rooms.sorted { $0.key < $1.key }.map(\.value)
    }

    /// A shard that has not the index.
    private static func otherShard(of group: ClusterGroup) async throws -> Int {
        (try await group.primary(of: group.slot(of: "nodes")).shard + 1) % group.shards.count
    }

    private static func takes(_ backend: Backend, _ room: RoomName) async -> Bool {
        (try? await backend.messageLog.publish(Publication(room, "1"))) != nil
    }

    /// How many partitions are on shards that answer, as `/v1/stats` has it.
    private static func answering(_ backend: Backend) -> Int {
        backend.directory.store?.shards.filter(\.answers).reduce(0) { $0 + $1.partitions } ?? 0
    }

    @Test
    func
        `a list of servers of which one lives leads to all, and a shard that takes another password is away by itself`()
        async throws
    {
        var options = ClusterGroup.Options()
        (options.password, options.replicas) = ("secret", 0)
        let group = try await ClusterGroup.start(options)
        let nobody = try ReservedPort()
        let shard = try await Self.otherShard(of: group)
        let living = try #require(group.servers.first { $0.shard != shard })
        let url = group.url(seedsAt: [nobody.number, living.port])
        let rooms = try await Self.rooms(of: group)
        try await group.setPassword("another", ofShard: shard)
        try await RedisFixture().withBackends(
            [url], configure: { _, configuration in configuration.redis.commandTimeout = .seconds(2) }
        ) { backends in
            #expect(backends[0].directory.store?.topology == "cluster")
            for (number, room) in rooms.enumerated() where number != shard {
                try await eventually("a message in a log") { await Self.takes(backends[0], room) }
            }
            #expect(await !Self.takes(backends[0], rooms[shard]))
            #expect(Self.answering(backends[0]) < 64)
            await #expect(throws: DirectoryError.self) {
                _ = try await backends[0].presenceDirectory.users(limit: 1, cursor: nil)
            }
            try await group.setPassword("secret", ofShard: shard)
            try await eventually("a message in the log there") { await Self.takes(backends[0], rooms[shard]) }
            try await eventually("all partitions") { Self.answering(backends[0]) == 64 }
        }
        try await group.stop()
    }

    @Test func `a Cluster that wants all its slots is away as a whole with one shard, and comes back with it`()
        async throws
    {
        var options = ClusterGroup.Options()
        (options.requiresFullCoverage, options.replicas) = (true, 0)
        let group = try await ClusterGroup.start(options)
        let shard = try await Self.otherShard(of: group)
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends(
            [group.url],
            configure: { _, configuration in
                configuration.canaryInterval = .milliseconds(500)
                configuration.redis.commandTimeout = .seconds(2)
            }
        ) { backends in
            let server = group.shards[shard][0]
            server.process.pause()
            try await eventually("a node that is not ready") { backends[0].problem != nil }
            for room in rooms { #expect(await !Self.takes(backends[0], room)) }
            server.process.resume()
            try await eventually("a node that is ready") { backends[0].problem == nil }
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
        }
        try await group.stop()
    }

    @Test func `a shard that is full refuses the messages of its own rooms, and takes them again`() async throws {
        var options = ClusterGroup.Options()
        options.replicas = 0
        let group = try await ClusterGroup.start(options)
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends([group.url]) { backends in
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
            let server = group.shards[1][0].process
            _ = try await server.cli("CONFIG", "SET", "maxmemory", "1mb")
            try await eventually("a full shard") {
                backends[0].restriction?.hasSuffix("of 64 partitions are refused") ?? false
            }
            #expect(await !Self.takes(backends[0], rooms[1]))
            for room in [rooms[0], rooms[2]] { #expect(await Self.takes(backends[0], room)) }
            _ = try await server.cli("CONFIG", "SET", "maxmemory", "0")
            try await eventually("room again") { await Self.takes(backends[0], rooms[1]) }
            try await eventually("no restriction") { backends[0].restriction == nil }
        }
        try await group.stop()
    }

    @Test func `a node whose beats were away for a moment as another came hands on what falls to that one`()
        async throws
    {
        var options = ClusterGroup.Options()
        (options.replicas, options.namesHosts) = (0, false)
        let group = try await ClusterGroup.start(options)
        let observer = try Observer(url: group.url)
        // So long that it is not taken for dead meanwhile.
        let settings = PresenceSettings.brisk(lease: .seconds(6))
        let first = try await PresenceNode.start("n1", on: group, settings: settings)
        try await eventually("a node that looks after all") {
            try await observer.coordinators().allSatisfy { $0?.hasPrefix("n1:") == true }
        }
        // All its other links stand, so it is able all the while.
        for proxy in first.ways.proxies {
            try await proxy.treat(.toServer, .hold, isForNewOnly: true)
            try await proxy.silence("-- beat: ")
        }
        let second = try await PresenceNode.start("n2", on: group, settings: settings)
        for proxy in first.ways.proxies { try await proxy.treat(.toServer, .pass) }
        let due = Partition.all.map { Rendezvous.coordinator(of: $0, among: ["n1", "n2"]) ?? "" }
        try await eventually("each partition at the node to which it falls", within: .seconds(20)) {
            try await zip(observer.coordinators(), due).allSatisfy { $0?.hasPrefix("\($1):") == true }
        }
        for node in [first, second] { try await node.stop() }
        try await group.stop()
    }
}
