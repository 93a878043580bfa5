import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// What users and those who invent them may leave behind.
@Suite("What presence keeps of those who are gone", .serialized)
struct PresenceBoundsTests {
    private let redis: RedisServerProcess
    private let observer: Observer

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    @Test func `so many users are remembered as last seen, and the longest away go first`() async throws {
        var settings = PresenceSettings.brisk()
        settings.renewal = .milliseconds(200)
        settings.seenUsers = 3 * Partition.count
        let key = observer.keys.seen(Partition(of: "alice")).name
        let now = 1_900_000_000_000
        for number in 1...10 { _ = try await redis.cli("ZADD", key, "\(now + number)", "u\(number)") }
        let node = try await PresenceNode.start("n1", on: redis, settings: settings)
        try await eventually { [redis] in try await redis.cli("ZCARD", key) == "3" }
        #expect(try await redis.cli("ZRANGE", key, "0", "-1").split(separator: "\n") == ["u8", "u9", "u10"])
        try await node.stop()
    }

    @Test func `who connects and drops over and over is refused until a grace has ended, and may go on with a session`()
        async throws
    {
        var settings = PresenceSettings.brisk(grace: .seconds(60))
        settings.maxConnectionsPerUser = 2
        settings.surplus = .refuseNewest
        let node = try await PresenceNode.start("n1", on: redis, settings: settings)
        var last = ""
        for number in 0..<102 {
            last = try await node.connect("c\(number)", "alice").session
            node.presence.disconnect("c\(number)", .abrupt(.lost))
        }
        await #expect(throws: RegistrationError.tooManyConnections) { try await node.connect("d1", "alice") }
        #expect(try await node.connect("d2", "alice", resuming: last).resumed != nil)
        try await node.connect("d3", "bob")
        let told = try await observer.texts().filter { $0.hasPrefix("user.") }
        #expect(Set(told) == ["user.online alice", "user.online bob"])
        try await node.stop()
    }

    @Test func `a room with as many users as it may have takes no further one of an app's, and nobody is told of any`()
        async throws
    {
        var settings = PresenceSettings.brisk()
        settings.maxVisitorMembers = 2
        let node = try await PresenceNode.start("n1", on: redis, settings: settings)
        for user in ["ann", "bob"] { try await node.join("presence-a", visitor: "c-\(user)", as: user) }
        await #expect(throws: BackendError.barred(.full)) {
            try await node.join("presence-a", visitor: "c-cid", as: "cid")
        }
        #expect(try await observer.texts().allSatisfy { !$0.contains("cid") })
        // Who is there may come once more, and what binds native users are the room's own settings.
        try await node.join("presence-a", visitor: "c-again", as: "ann")
        try await node.connect("c-dan", "dan")
        #expect(try await node.join("presence-a", "c-dan").members == 3)
        for id in ["c-dan", "c-bob"] { node.presence.leave(RoomName(unchecked: "presence-a"), connection: id) }
        #expect(try await node.join("presence-a", visitor: "c-cid", as: "cid").members == 2)
        try await node.stop()
    }

    @Test func `the ledger takes no more memory than it may, and keeps the newest`() async throws {
        let events = observer.keys.events(Partition(number: 7)).name
        let name = String(repeating: "n", count: 128)
        for number in 1...1000 {
            _ = try await observer.link.send([
                "XADD", .string(events), .string("\(number)-0"), "t", "member.joined", "u", .string(name), "r",
                .string(name), "c", "",
            ])
        }
        let fixture = RedisFixture(on: redis)
        let configure: @Sendable (Int, inout Backend.Configuration) -> Void = {
            $1.presence.renewal = .milliseconds(200)
            $1.webhookLedger.bytes = 64 << 10
        }
        try await fixture.withBackends([nil], configure: configure) { [redis] _ in
            try await eventually {
                Int(try await redis.cli("MEMORY", "USAGE", events, "SAMPLES", "0")) ?? .max <= 64 << 10
            }
            let kept = try #require(Int(try await redis.cli("XLEN", events)))
            #expect(kept > 150)
            #expect(try await redis.cli("XRANGE", events, "1000-0", "1000-0").contains(name))
        }
    }

    @Test func `dedupe keys of one user are refused beyond so many, and those of others and messages without are not`()
        async throws
    {
        let fixture = RedisFixture(on: redis)
        try await fixture.withBackends([nil], configure: { $1.maxMarksPerUser = 10 }) { backends in
            let log = backends[0].messageLog
            func publish(_ user: String?, _ key: String) async throws -> Int {
                let mark = user.map { DedupeMark(owner: .user(UserID(unchecked: $0)), key: key) }
                return try await log.publish(Publication(room, "1", dedupe: mark)).position.seq
            }
            for number in 1...10 { #expect(try await publish("alice", "k\(number)") == number) }
            let error = await #expect(throws: BackendError.self) { try await publish("alice", "k11") }
            #expect(error?.request.code == .rateLimited)
            #expect(try await publish("bob", "k11") == 11)
            #expect(try await publish(nil, "") == 12)
            let api = DedupeMark(owner: .api, key: "k1")
            let last = try await log.publish(Publication(room, "1", dedupe: api))
            #expect(last.position.seq == 13)
        }
    }
}
