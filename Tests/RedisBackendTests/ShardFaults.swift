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
        try await names("room", of: group).map { RoomName(unchecked: $0) }
    }

    /// A name that lies in each shard, in the shards' order.
    private static func names(_ beginning: String, of group: ClusterGroup) async throws -> [String] {
        var names: [Int: String] = [:]
        for number in 0..<64 where names.count < group.shards.count {
            let name = "\(beginning)-\(number)"
            let slot = try await group.slot(of: Partition.tags[Partition(of: name).number])
            names[try await group.primary(of: slot).shard] = name
        }
        return names.sorted { $0.key < $1.key }.map(\.value)
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

    @Test
    func
        `a shard that has forgotten all is noticed within seconds: its users are there again, its rooms are told, and no others are`()
        async throws
    {
        var options = ClusterGroup.Options()
        (options.replicas, options.namesHosts) = (0, false)
        let group = try await ClusterGroup.start(options)
        let shard = try await Self.otherShard(of: group)
        let observer = try Observer(url: group.url)
        var nodes: [PresenceNode] = []
        for name in ["n1", "n2"] {
            nodes.append(
                try await PresenceNode.start(name, on: group, settings: .brisk(), canaryInterval: .seconds(1)))
        }
        // Of each shard a user, and a room in which all of them are, with a message; where all is deleted one more, without any.
        let users = try await Self.names("user", of: group)
        let rooms = try await Self.names("room", of: group)
        let followed = rooms + [try await Self.names("quiet", of: group)[shard]]
        for (number, user) in users.enumerated() {
            let node = nodes[number % 2]
            try await node.connect("c\(number)", user)
            for room in rooms { try await node.join(room, "c\(number)") }
        }
        for node in nodes {
            for (number, room) in followed.enumerated() {
                node.backend.streams.follow(RoomName(unchecked: room), ticket: FollowTicket(number), hub: 0)
            }
            try await eventually("listeners") {
                followed.indices.allSatisfy { node.sink.hasAnswer(to: FollowTicket($0)) }
            }
        }
        try await Self.publish("1", to: rooms, by: nodes[0])
        try await eventually("messages") { [nodes] in nodes.allSatisfy { $0.sink.messages.count == 3 } }
        let before = try await observer.ledger()
        let told = nodes.map(\.rosters.count)

        let limit = Duration.seconds(8)
        let flushed = ContinuousClock.now
        try await group.shards[shard][0].process.ask("FLUSHALL")
        try await eventually("what is told of the rooms there", within: limit) { [nodes] in
            nodes.allSatisfy { $0.sink.gaps.count == 1 && $0.sink.epochs.count == 1 }
        }
        try await eventually("who was there", within: limit) { [nodes] in
            let statuses = try await nodes[0].directory.statuses(of: users.map { UserID(unchecked: $0) })
            guard statuses.allSatisfy(\.isOnline) else { return false }
            for room in rooms {
                guard try await nodes[1].directory.room(RoomName(unchecked: room))?.members == 3 else { return false }
            }
            return nodes.allSatisfy { $0.backend.problem == nil }
        }
        print("a shard that has forgotten all is as it was after \(ContinuousClock.now - flushed)")
        // The ledger there begins with who is there, and nobody is told that anybody came or went.
        let after = try await observer.ledger().filter { !before.contains($0) }
        #expect(after.allSatisfy { $0.cause == "restored" }, "\(after.map(\.text))")
        for (node, count) in zip(nodes, told) { #expect(node.rosters.dropFirst(count).flatMap(\.events) == []) }
        // What is there to be heard is heard as before.
        try await Self.publish("2", to: rooms, by: nodes[1])
        try await eventually("messages") { [nodes] in nodes.allSatisfy { $0.sink.messages.count == 6 } }
        for node in nodes {
            #expect(node.sink.gaps.count == 1 && node.sink.epochs.count == 1)
            try await node.stop()
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

    private static func publish(_ payload: String, to rooms: [String], by node: PresenceNode) async throws {
        for room in rooms {
            _ = try await node.backend.messageLog.publish(Publication(RoomName(unchecked: room), payload))
        }
    }

    /// It runs what lies in its sockets before it hears of the other one: what it says of that is worth nothing.
    @Test func `what a replaced primary runs as it wakes counts once its successor has stored it`() async throws {
        let group = try await ClusterGroup.start()
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends([group.url]) { backends in
            let log = backends[0].messageLog
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
            let old = group.shards[1][0]
            old.process.pause()
            let acknowledged = try await withThrowingTaskGroup(of: String?.self) { tasks in
                for number in 1000..<1030 {
                    tasks.addTask {
                        let published = try? await log.publish(Publication(rooms[1], "\(number)"))
                        return published.map { "\($0.position.seq): \(number)" }
                    }
                }
                _ = try await group.promoted(after: old)
                old.process.resume()
                return try await tasks.reduce(into: Set<String>()) { if let answer = $1 { $0.insert(answer) } }
            }
            try await eventually("the shard") { await Self.takes(backends[0], rooms[1]) }
            let page = try await log.history(of: rooms[1], range: HistoryRange(edge: .newest, limit: 100))
            let held = page.messages.map { "\($0.seq): \(String(decoding: $0.payload, as: UTF8.self))" }
            #expect(!acknowledged.isEmpty && acknowledged.subtracting(held) == [])
            let payloads = page.messages.map(\.payload).filter { $0.count == 4 }
            #expect(payloads.count == Set(payloads).count)
        }
        try await group.stop()
    }
}
