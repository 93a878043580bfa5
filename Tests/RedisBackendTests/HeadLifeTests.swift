import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// How long Redis keeps the head of a room: minutes where it was only touched, as long as its log where it was written to.
@Suite("Heads of rooms that were never written to")
struct HeadLifeTests {
    private let head = Keys(prefix: "m").head(room).name

    /// Milliseconds.
    private func life(_ fixture: RedisFixture) async throws -> Int {
        try #require(Int(try await fixture.redis.cli("PTTL", head)))
    }

    @Test func `asking where a room stands keeps its head for minutes, a message for as long as the log and an hour`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(room, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            #expect((200_000...300_000).contains(try await life(fixture)))
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            #expect((89_000_000...90_000_000).contains(try await life(fixture)))
            backends[0].streams.follow(room, ticket: 2, hub: hub)
            try await eventually { sink.hasAnswer(to: 2) }
            #expect(try await life(fixture) > 89_000_000)
        }
    }

    @Test func `a member keeps a head for minutes, and does not shorten the life of one with messages`() async throws {
        let redis = try RedisServerProcess()
        let fixture = RedisFixture(on: redis)
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        try await node.connect("c1", "alice")
        try await node.connect("c2", "bob")
        try await node.join(room.string, "c1")
        #expect((200_000...300_000).contains(try await life(fixture)))
        _ = try await redis.cli("PEXPIRE", head, "5000")
        try await node.join(room.string, "c2")
        #expect((200_000...300_000).contains(try await life(fixture)))
        node.presence.leave(room, connection: "c2")
        _ = try await node.backend.messageLog.publish(Publication(room, "1"))
        try await node.join(room.string, "c2")
        #expect(try await life(fixture) > 89_000_000)
        node.presence.leave(room, connection: "c1")
        node.presence.leave(room, connection: "c2")
        try await eventually { try await redis.cli("EXISTS", Keys(prefix: "m").members(room).name) == "0" }
        #expect(try await life(fixture) > 89_000_000)
        try await node.stop()
    }

    @Test func `a head that the last to leave makes anew ends too`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        try await node.connect("c1", "alice")
        try await node.join(room.string, "c1")
        _ = try await redis.cli("DEL", head)
        node.presence.leave(room, connection: "c1")
        try await eventually { try await redis.cli("EXISTS", Keys(prefix: "m").members(room).name) == "0" }
        #expect((200_000...300_000).contains(try await life(RedisFixture(on: redis))))
        try await node.stop()
    }

    @Test func `whoever follows a room keeps its head`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil], renewalInterval: .seconds(3)) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.hasAnswer(to: 1) }
            _ = try await fixture.redis.cli("PEXPIRE", head, "60000")
            try await eventually { try await life(fixture) > 200_000 }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually { sink.sequence == [1] }
            _ = try await fixture.redis.cli("PEXPIRE", head, "60000")
            try await eventually { try await life(fixture) > 89_000_000 }
        }
    }

    @Test func `a head that has ended under whoever follows the room is a new epoch, and no loss`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(room, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            let before = try #require(sink.position(of: 1))
            _ = try await fixture.redis.cli("DEL", head)
            let published = try await backends[0].messageLog.publish(Publication(room, "1"))
            #expect(published.position.seq == 1 && published.position.epoch != before.epoch)
            try await eventually { sink.sequence == [1] }
            #expect(sink.gaps.isEmpty)
            #expect(sink.epochs == [Position(epoch: published.position.epoch, seq: 0)])
            // A position of the head that has gone asks for all there is.
            backends[0].streams.follow(
                room, since: ClientPosition(epoch: before.epoch, seq: 0), ticket: 2, hub: hub)
            try await eventually { sink.hasAnswer(to: 2) }
            let start = try #require(sink.start(of: 2))
            #expect(start.recovered && start.missed.map(\.seq) == [1])
        }
    }
}
