import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Rosters as followers see them")
struct RouterRosterTests {
    /// Sends what the presence scripts send.
    private func step(_ fixture: RedisFixture, _ version: Int, members: Int, _ events: String...) async throws {
        let payload = "p \(version) \(members) 1700000000000 \(events.count) \(events.joined())"
        _ = try await fixture.redis.cli("PUBLISH", Keys(prefix: "m").channel(room).name, payload)
    }

    @Test func `versions come once and in order with the messages, and a jump is told without events`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let head = Keys(prefix: "m").head(room).name
            _ = try await fixture.redis.cli("HSET", Keys(prefix: "m").members(room).name, "zoe", "x", "amy", "y")
            _ = try await backends[0].messageLog.publish(Publication(room, "0"))
            _ = try await fixture.redis.cli("HSET", head, "roster", "10")
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.hasAnswer(to: 1) }
            let roster = try #require(sink.start(of: 1)?.roster)
            #expect(roster.members == 2 && roster.version == 10)

            try await step(fixture, 10, members: 9, "l c0 3 0 zoe")
            try await step(fixture, 11, members: 3, "j c1 3 2 bob{}")
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await step(fixture, 11, members: 3, "j c1 3 2 bob{}")
            try await step(fixture, 13, members: 1, "l c1 3 0 bob", "l c0 3 0 zoe")
            try await step(fixture, 15, members: 2, "j c3 3 2 bob{}")
            try await step(fixture, 16, members: 3, "j c4 3 2 eve{}")
            try await eventually { sink.rosterChanges.count == 4 }

            let changes = sink.rosterChanges
            #expect(changes.map(\.version) == [11, 13, 15, 16])
            #expect(changes.map(\.members) == [3, 1, 2, 3])
            #expect(changes.map { $0.events.map(\.userId.string) } == [["bob"], ["bob", "zoe"], [], ["eve"]])
            #expect(changes[0].events.first?.connection == "c1" && changes[0].events.first?.kind == .join)
            #expect(changes[1].events.map(\.kind) == [.leave, .leave])
            // The message lies between the first step and the second.
            let kinds = sink.deliveries.map { delivery in
                switch delivery {
                case .presence(let change): "\(change.version)"
                case .messages(_, let messages, _): "m\(messages.map(\.seq))"
                default: "-"
                }
            }
            #expect(kinds == ["-", "11", "m[2]", "13", "15", "16"])
        }
    }

    @Test func `a listener waits for the step that its roster has, and is not told it again`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let head = Keys(prefix: "m").head(room).name
            let sinks = [RecordingSink(), RecordingSink()]
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sinks[0]))
            try await eventually { sinks[0].hasAnswer(to: 1) }
            // The head knows of a step that the channel has not brought: lost, as in a break.
            _ = try await fixture.redis.cli("HSET", head, "roster", "5")
            backends[0].streams.follow(room, ticket: 2, hub: backends[0].streams.open(sinks[1]))
            try await eventually { sinks[1].hasAnswer(to: 2) }
            #expect(sinks[1].start(of: 2)?.roster?.version == 5)
            try await eventually { sinks[0].rosterChanges.map(\.version) == [5] }
            #expect(sinks[0].rosterChanges[0].events.isEmpty)
            #expect(sinks[1].rosterChanges.isEmpty)
        }
    }

    @Test func `inboxes and everyone's room have no roster`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(.everyone, ticket: 1, hub: hub)
            backends[0].streams.follow(RoomName(inboxOf: UserID(unchecked: "amy")), ticket: 2, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) && sink.hasAnswer(to: 2) }
            #expect(sink.start(of: 1)?.roster == nil && sink.start(of: 2)?.roster == nil)
        }
    }
}
