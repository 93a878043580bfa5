import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Rooms that rest")
struct RouterRestTests {
    @Test func `a room is let go a little after its last listener, and kept for one who comes back before that`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let streams = backends[0].streams
            let sink = RecordingSink()
            let hub = streams.open(sink)
            let other = RoomName(unchecked: "lesson-2")
            streams.follow(room, ticket: 1, hub: hub)
            streams.follow(other, ticket: 2, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) && sink.hasAnswer(to: 2) }
            #expect(try await subscribed(fixture) == ["lesson-1", "lesson-2"])
            streams.unfollow(room, hub: hub)
            streams.unfollow(other, hub: hub)
            streams.follow(room, ticket: 3, hub: hub)
            try await eventually { try await subscribed(fixture) == ["lesson-1"] }
            #expect(sink.hasAnswer(to: 3))
            let stored = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually { sink.sequence.last == stored.position.seq }
            streams.unfollow(room, hub: hub)
            try await eventually { try await subscribed(fixture) == [] }
        }
    }

    /// The rooms whose channels somebody listens to.
    private func subscribed(_ fixture: RedisFixture) async throws -> [String] {
        try await fixture.redis.cli("PUBSUB", "CHANNELS", "*:room:*").split(separator: "\n")
            .compactMap { $0.split(separator: ":").last.map(String.init) }.sorted()
    }
}
