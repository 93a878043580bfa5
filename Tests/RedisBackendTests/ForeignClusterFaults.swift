import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A server of another Cluster, which takes the same password, at the address of one that has died.
@Suite("A foreign Cluster's server at a shard's address", .serialized)
struct ForeignClusterFaults {
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

    /// One that has all slots of a Cluster of its own, and the higher epoch.
    private static func foreigner(at port: Int, of group: ClusterGroup) async throws -> RedisServerProcess {
        let server = try await newcomer(at: port, of: group)
        try await server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        _ = try await server.ask((0..<20).map { _ in ["CLUSTER", "BUMPEPOCH"] })
        return server
    }

    /// One that knows nobody and has nothing.
    private static func newcomer(at port: Int, of group: ClusterGroup) async throws -> RedisServerProcess {
        var options = RedisServerProcess.Options()
        (options.engine, options.listensOnTCP, options.port) = (group.options.engine, true, port)
        (options.isClusterServer, options.password) = (true, group.options.password)
        options.arguments = ["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"]
        return try RedisServerProcess(options)
    }

    private static func takes(_ backend: Backend, _ room: RoomName) async -> Bool {
        (try? await backend.messageLog.publish(Publication(room, "1"))) != nil
    }

    /// How often a server has been asked something.
    private static func calls(of command: String, on server: RedisServerProcess) async throws -> Int {
        try await RedisFixture(on: server).calls(of: command)
    }

    /// Whether anything was asked of it but who it is.
    private static func expectUntouched(_ server: RedisServerProcess) async throws {
        #expect(try await server.ask("DBSIZE").number == 0)
        for command in ["evalsha", "eval", "script|load", "ssubscribe", "spublish"] {
            #expect(try await calls(of: command, on: server) == 0, "\(command)")
        }
    }

    @Test(arguments: RedisServerProcess.Engine.allCases)
    func `nothing is written there and nothing read, until the shard's own server is back`(
        engine: RedisServerProcess.Engine
    ) async throws {
        var options = ClusterGroup.Options()
        (options.engine, options.replicas, options.password, options.appendOnly) = (engine, 0, "secret", true)
        let group = try await ClusterGroup.start(options)
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends(
            [group.url], configure: { _, configuration in configuration.redis.commandTimeout = .seconds(2) }
        ) { backends in
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
            let lost = group.shards[1][0]
            lost.process.kill9()
            let foreigner = try await Self.foreigner(at: lost.port, of: group)
            try await eventually("a node that has been there often") {
                try await Self.calls(of: "info", on: foreigner) > 40
            }
            #expect(await !Self.takes(backends[0], rooms[1]))
            for room in [rooms[0], rooms[2]] { #expect(await Self.takes(backends[0], room)) }
            try await Self.expectUntouched(foreigner)

            foreigner.stop()
            try await group.restart(lost)
            try await eventually("a message in the log there") { await Self.takes(backends[0], rooms[1]) }
            try await eventually("a node that is ready") { backends[0].problem == nil }
        }
        try await group.stop()
    }

    @Test func `a replica that is promoted meanwhile serves the shard as ever`() async throws {
        let group = try await ClusterGroup.start()
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends(
            [group.url], configure: { _, configuration in configuration.redis.commandTimeout = .seconds(2) }
        ) { backends in
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
            let lost = group.shards[1][0]
            lost.process.kill9()
            let foreigner = try await Self.foreigner(at: lost.port, of: group)
            _ = try await group.promoted(after: lost)
            try await eventually("a message in the log there", within: .seconds(5)) {
                await Self.takes(backends[0], rooms[1])
            }
            try await Self.expectUntouched(foreigner)
            foreigner.stop()
        }
        try await group.stop()
    }

    @Test(arguments: RedisServerProcess.Engine.allCases)
    func `a server that takes the place of one for good is taken as soon as the Cluster has it`(
        engine: RedisServerProcess.Engine
    ) async throws {
        var options = ClusterGroup.Options()
        (options.engine, options.replicas) = (engine, 0)
        let group = try await ClusterGroup.start(options)
        let rooms = try await Self.rooms(of: group)
        try await RedisFixture().withBackends(
            [group.url], configure: { _, configuration in configuration.redis.commandTimeout = .seconds(2) }
        ) { backends in
            for room in rooms { try await eventually("a message in a log") { await Self.takes(backends[0], room) } }
            let (lost, others) = (group.shards[1][0], [group.shards[0][0], group.shards[2][0]])
            lost.process.kill9()
            let newcomer = try await Self.newcomer(at: lost.port, of: group)
            #expect(await !Self.takes(backends[0], rooms[1]))
            for other in others { try await other.process.ask("CLUSTER", "FORGET", lost.id) }
            let busPort = try #require(newcomer.busPort)
            try await others[0].process.ask("CLUSTER", "MEET", "127.0.0.1", "\(lost.port)", "\(busPort)")
            try await eventually("a Cluster of three") {
                try await newcomer.ask("CLUSTER", "INFO").text?.contains("cluster_known_nodes:3") == true
            }
            try await newcomer.ask("CLUSTER", "ADDSLOTSRANGE", "5461", "10922")
            let since = ContinuousClock.now
            try await eventually("a message in the log there") { await Self.takes(backends[0], rooms[1]) }
            print("the server that took the place of another served after \(ContinuousClock.now - since)")
            try await eventually("a node that is ready") { backends[0].problem == nil }
            newcomer.stop()
        }
        try await group.stop()
    }
}
