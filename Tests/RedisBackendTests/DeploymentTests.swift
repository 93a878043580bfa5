import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// What lies in Redis already, and whether a node takes part in it.
struct DeploymentTests {
    private let later = Format(writes: Format.own.writes + 1, reads: Format.own.writes)
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test func `what a release before format 2 has left is refused, and not touched`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        try await RecordSheet(format: 1).put(by: observer.link)
        let node = try await PresenceNode.begin("n9", on: redis, settings: .brisk(), loop: loop)
        #expect(try await node.failure() == .foreign(prefix: "m", .unnumbered))
        #expect(try await redis.cli("HKEYS", observer.keys.index.name) == "n1")
        #expect(try await redis.cli("HGET", observer.keys.deployment.name, "partitions") == "64")
    }

    @Test func `a release before format 2 does not take a deployment of this one for its own`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        let observer = try Observer(redis)
        // It asks whether this is 64.
        let partitions = try await redis.cli("HGET", observer.keys.deployment.name, "partitions")
        #expect(partitions == Partition.layout && Int(partitions) == nil)
        // And its entry, without a format, does not stay in the index.
        let entry = "0f 1700000000000 7 1700000000000 started=1700000000000 version=0.1.0 able=1"
        _ = try await redis.cli("HSET", observer.keys.index.name, "old", entry)
        try await eventually("the entry's end") {
            try await redis.cli("HKEYS", observer.keys.index.name) == "n1"
        }
        try await node.stop()
    }

    @Test func `all write in the format of the oldest node, and in the later one once that has left`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        @Sendable func format() async throws -> String {
            try await redis.cli("HMGET", observer.keys.deployment.name, "format", "reads")
        }
        let (present, next) = ("\(later.reads)\n\(later.reads)", "\(later.writes)\n\(later.reads)")
        let old = try await PresenceNode.start("n1", on: redis, settings: .brisk(), loop: loop)
        let new = try await PresenceNode.start("n2", on: redis, settings: .brisk(), loop: loop, format: later)
        #expect(try await format() == present)
        // Redis loses all: the later one, which writes as before, does not shut the other out.
        _ = try await redis.cli("FLUSHALL")
        try await eventually("both nodes") {
            try await redis.cli("HLEN", observer.keys.index.name) == "2"
        }
        #expect(try await format() == present)
        try await old.stop()
        try await eventually("the later format") { try await format() == next }
        let late = try await PresenceNode.begin("n3", on: redis, settings: .brisk(), loop: loop)
        #expect(try await late.failure() == .foreign(prefix: "m", .newer(later.writes)))
        try await new.stop()
    }

    @Test func `a node that was cut off while the others went on to a format it does not know ends`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let old = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        let new = try await PresenceNode.start("n2", on: redis, settings: .brisk(), format: later)
        try await old.cut()
        try await eventually("the later format") {
            try await redis.cli("HGET", observer.keys.deployment.name, "format") == "\(later.writes)"
        }
        try await old.heal()
        #expect(try await old.failure() == .foreign(prefix: "m", .newer(later.writes)))
        try await new.stop()
    }
}
