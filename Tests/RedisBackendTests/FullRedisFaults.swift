import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A Redis that has no room left: first for messages, then for anything new.
@Suite("A Redis that fills up", .serialized)
struct FullRedisFaults {
    private static func server() throws -> RedisServerProcess {
        var options = RedisServerProcess.Options()
        options.maxMemory = "64mb"
        return try RedisServerProcess(options)
    }

    /// Makes a value of so many MiB.
    private static func fill(_ redis: RedisServerProcess, _ mebibytes: Int) async throws {
        _ = try await redis.cli("SETRANGE", "filler", "\(mebibytes << 20)", "x")
    }

    private static func publish(_ node: PresenceNode) async -> Result<Published, BackendError> {
        await withCheckedContinuation { continuation in
            node.backend.messageLog.publish(Publication(room, "1")) { continuation.resume(returning: $0) }
        }
    }

    @Test func `from four fifths on messages are refused, and users come and go, are seen and swept, as ever`()
        async throws
    {
        let redis = try Self.server()
        let observer = try Observer(redis)
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        try await node.connect("c1", "alice")
        try await node.join(room.string, "c1")
        _ = try await Self.publish(node).get()
        #expect(node.backend.restriction == nil)

        try await Self.fill(redis, 52)
        try await eventually("a full Redis") { node.backend.restriction != nil }
        #expect(await Self.publish(node) == .failure(.full))
        #expect(BackendError.full.request.code == .unavailable)
        #expect(node.backend.problem == nil)
        try await node.connect("c2", "bob")
        #expect(try await node.join(room.string, "c2").members == 2)
        let session = try await node.connect("c3", "carol").session
        node.presence.disconnect("c3", .abrupt(.lost))
        #expect(try await node.connect("c4", "carol", resuming: session).resumed != nil)
        node.presence.leave(room, connection: "c2")
        node.presence.disconnect("c1", .abrupt(.lost))
        try await eventually("who has left") {
            let told = try await observer.texts()
            return told.contains("member.left bob lesson-1 explicit") && told.contains("user.offline alice lost")
        }

        _ = try await redis.cli("DEL", "filler")
        try await eventually("room") { node.backend.restriction == nil }
        #expect(try await Self.publish(node).get().position.seq == 2)
        try await node.stop()
    }

    @Test func `one that takes nothing new forgets those who leave all the same, and keeps whom it knows`() async throws
    {
        let redis = try Self.server()
        let observer = try Observer(redis)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = try await PresenceNode.start("n1", on: redis, settings: .brisk(), loop: loop)
        let second = try await PresenceNode.start("n2", on: redis, settings: .brisk(), loop: loop)
        for (node, id, user) in [(first, "c1", "alice"), (second, "c2", "bob"), (second, "c3", "carol")] {
            try await node.connect(id, user)
            try await node.join(room.string, id)
        }
        _ = try await redis.cli("CONFIG", "SET", "maxmemory", "1mb")
        await #expect(throws: BackendError.self) { try await first.join("another", "c1") }
        second.presence.disconnect("c3", .farewell(.closed))
        try await eventually("who has left") { try await observer.texts().contains("user.offline carol closed") }
        // Declared dead, it is to be known again though there is no room for anything new.
        try await second.cut()
        try await eventually("a sweep") { try await observer.texts().contains("user.offline bob node_lost") }
        try await second.heal()
        try await eventually("a return") {
            let told = try await observer.texts()
            return told.contains("user.online bob restored") && told.contains("member.joined bob lesson-1 restored")
        }
        #expect(!(try await observer.texts()).contains { $0.hasPrefix("user.offline alice") })
        try await first.stop()
        try await second.stop()
    }
}
