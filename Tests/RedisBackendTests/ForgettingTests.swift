import GatewayCore
import NIOPosix
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

/// What is remembered of each node, under names that come once: they must not gather for ever.
@Suite("What is forgotten of nodes that are gone")
struct ForgettingTests {
    private let partition = Partition(number: 3)

    private static func forgetful() -> PresenceSettings {
        var settings = PresenceSettings()
        settings.fenceLife = .seconds(1)
        settings.maxConnectionsPerUser = 0
        return settings
    }

    @Test func `a fence goes after its life, whatever other nodes do, and one that is still needed stays`() async throws
    {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let fence = observer.keys.fence(partition).name
        @Sendable func renounce(_ node: String, _ settings: PresenceSettings) async throws {
            let holder = Holder(node: node, incarnation: 5)
            _ = try await observer.store.call(Renounce(partition, holder: holder, settings: settings))
        }
        try await renounce("old", PresenceSettings())
        try await renounce("other", PresenceSettings())
        #expect(try await redis.cli("HGET", fence, "old") == "5")
        let numbers = Mutex(0)
        try await eventually("an end of the old fence") {
            let number = numbers.withLock { number in
                number += 1
                return number
            }
            try await renounce("new-\(number)", Self.forgetful())
            return try await redis.cli("HGET", fence, "old").isEmpty
        }
        try await renounce("last", PresenceSettings())
        #expect(try await redis.cli("HGET", fence, "last") == "5")
        #expect(try await redis.cli("HGET", fence, "last:at") != "")
    }

    @Test func `how often connections of a node were marked goes after its life, and is never the same again`()
        async throws
    {
        let redis = try RedisServerProcess()
        let settings = Self.forgetful()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        let second = try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop)
        let marked = Keys(prefix: "m").marked.name
        @Sendable func kick(_ node: PresenceNode, _ number: Int) async throws {
            let user = "u\(number)"
            try await node.connect("\(node.name)-\(number)", user)
            _ = try await node.directory.disconnect(UserID(unchecked: user), code: 4403, reason: "out")
        }
        try await kick(first, 0)
        try await eventually { try await !redis.cli("HGET", marked, "n1").isEmpty }
        let before = try await redis.cli("HGET", marked, "n1")
        let numbers = Mutex(0)
        try await eventually("an end of the count", within: .seconds(20)) {
            let number = numbers.withLock { number in
                number += 1
                return number
            }
            try await kick(second, number)
            return try await redis.cli("HGET", marked, "n1").isEmpty
        }
        try await kick(first, 1_000_000)
        try await eventually { try await !redis.cli("HGET", marked, "n1").isEmpty }
        #expect(try await redis.cli("HGET", marked, "n1") != before)
        try await eventually { first.closed.contains("n1-1000000") }
        try await first.stop()
        try await second.stop()
    }

    @Test func `a node without receivers keeps what one of another node has not settled, and else little`() async throws
    {
        let fixture = try RedisFixture()
        let keys = Keys(prefix: "m")
        let user = UserID(unchecked: "alice")
        let partition = Partition(of: user.string)
        let events = keys.events(partition).name
        let fill =
            "for i = 1, 12000 do redis.call('XADD', KEYS[1], '*', 't', 'user.online', 'u', 'x', 'r', '', 'c', '') end"
        _ = try await fixture.redis.cli("EVAL", fill, "1", events)
        _ = try await fixture.redis.cli("XGROUP", "CREATE", events, "hook-a", "0")
        _ = try await fixture.redis.cli("HSET", keys.webhooks(partition).name, "read:hook-a", "0")
        try await fixture.withBackends(
            [nil], configure: { _, configuration in configuration.presence.renewal = .milliseconds(100) }
        ) { backends in
            for number in 0..<30 {
                _ = try await withCheckedThrowingContinuation { continuation in
                    backends[0].presence.connect(
                        PresenceConnection(id: "c\(number)", userId: user, address: ""), resuming: nil
                    ) { continuation.resume(with: $0) }
                }
                backends[0].presence.disconnect("c\(number)", .farewell(.closed))
            }
            try await eventually("all events") {
                try await fixture.redis.cli("XREVRANGE", events, "+", "-", "COUNT", "1").contains("offline")
            }
            let linger = keys.linger(partition).name
            // Renewed by then, at least once.
            _ = try await fixture.redis.cli("ZADD", linger, "99999999999999", "u|x|x")
            _ = try await fixture.redis.cli("PEXPIRE", linger, "200000")
            try await eventually("a renewal") { Int(try await fixture.redis.cli("PTTL", linger)) ?? 0 > 200_000 }
            #expect(try #require(Int(try await fixture.redis.cli("XLEN", events))) >= 12_000)
            _ = try await fixture.redis.cli("XGROUP", "DESTROY", events, "hook-a")
            try await eventually("a smaller ledger") { Int(try await fixture.redis.cli("XLEN", events)) ?? 0 < 10_300 }
        }
    }
}
