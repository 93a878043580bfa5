import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// What newcomers cost Redis, counted instead of timed: a count is the same on every machine.
@Suite("What presence asks of Redis", .serialized)
struct PresenceCostTests {
    private static let connections = 300
    private static let roomSize = 10

    private let redis: RedisServerProcess
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    init() throws {
        redis = try RedisServerProcess()
    }

    /// How often each command was carried out, in scripts or by itself.
    private func counts() async throws -> [Substring: Int] {
        let text = try await redis.cli("INFO", "commandstats")
        var counts: [Substring: Int] = [:]
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_") {
            let parts = line.dropFirst("cmdstat_".count).split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let calls = parts[1].dropFirst("calls=".count).split(separator: ",").first else {
                continue
            }
            counts[parts[0]] = Int(calls)
        }
        return counts
    }

    @Test func `a connect with one join in rooms of ten asks for no more than a tenth above what it has to`()
        async throws
    {
        // What a node does from time to time comes too rarely to count, however slow the machine is.
        var settings = PresenceSettings()
        settings.lease = .seconds(120)
        settings.renewal = .seconds(3600)
        settings.comparison = .seconds(3600)
        let node = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        let before = try await counts()
        for number in 0..<Self.connections {
            try await node.connect("c\(number)", "u\(number)")
            try await node.join("r\(number / Self.roomSize)", "c\(number)")
        }
        let after = try await counts()
        func each(_ commands: Substring...) -> Double {
            let calls = commands.reduce(0) { $0 + (after[$1] ?? 0) - (before[$1] ?? 0) }
            return Double(calls) / Double(Self.connections)
        }
        // The connect, the join, and the session that remembers the room; not a fourth. Some of the node's own are its
        // first look at each partition.
        #expect(each("evalsha") < 3.9, "\(each("evalsha"))")
        // Two are each connection's own; the rest are begun by the first of 64 partitions and 30 rooms.
        #expect(each("pexpire") < 3.2 * 1.1, "\(each("pexpire"))")
        let reads = each("hget", "hmget", "hlen", "pttl", "get")
        #expect(reads < 10.1 * 1.1, "\(reads)")
        let writes = each("hset", "hsetnx", "hincrby", "sadd", "zadd", "xadd", "publish")
        #expect(writes < 13.5 * 1.1, "\(writes)")
        try await node.kill()
    }
}
