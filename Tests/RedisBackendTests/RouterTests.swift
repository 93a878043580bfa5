import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("The streams of rooms")
struct RouterTests {
    @Test func `two nodes see the messages of both in one order`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let sinks = [RecordingSink(), RecordingSink()]
            for (backend, sink) in zip(backends, sinks) {
                let hub = backend.streams.open(sink)
                backend.streams.follow(room, ticket: 1, hub: hub)
            }
            for sink in sinks { try await eventually { sink.position(of: 1) != nil } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for backend in backends {
                    group.addTask {
                        for index in 0..<200 { _ = try await backend.messageLog.publish(Publication(room, "\(index)")) }
                    }
                }
                try await group.waitForAll()
            }
            for sink in sinks {
                try await eventually { sink.sequence.count == 400 }
                #expect(sink.sequence == Array(1...400))
            }
            #expect(sinks[0].messages.map(\.payload) == sinks[1].messages.map(\.payload))
        }
    }

    @Test func `a listener that joins under load gets everything after its position, once`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let early = RecordingSink()
            backends[0].streams.follow(room, ticket: 0, hub: backends[0].streams.open(early))
            try await eventually { early.position(of: 0) != nil }
            let joiners = (0..<20).map { _ in RecordingSink() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for index in 0..<1000 {
                        _ = try await backends[1].messageLog.publish(Publication(room, "\(index)"))
                    }
                }
                for (index, joiner) in joiners.enumerated() {
                    try await eventually { early.sequence.count > index * 40 }
                    backends[0].streams.follow(room, ticket: 7, hub: backends[0].streams.open(joiner))
                }
                try await group.waitForAll()
            }
            for joiner in joiners {
                try await eventually { joiner.sequence.last == 1000 }
                let start = try #require(joiner.position(of: 7)).seq
                #expect(joiner.sequence == Array((start + 1)...1000))
            }
        }
    }

    @Test func `FLUSHALL in a quiet room is noticed by the beat and told`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            _ = try await backends[0].messageLog.publish(Publication(room, "0"))
            try await eventually { sink.sequence == [1] }
            _ = try await fixture.redis.cli("FLUSHALL")
            try await eventually { sink.gaps.count == 1 }
            try await eventually { backends[0].problem == nil }
        }
    }

    @Test func `everyone's room goes to all who follow it, and a room nobody follows is left`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(.everyone, ticket: 1, hub: hub)
            backends[0].streams.follow(room, ticket: 2, hub: hub)
            try await eventually { sink.position(of: 1) != nil && sink.position(of: 2) != nil }
            _ = try await backends[0].messageLog.publish(Publication(.everyone, "1"))
            try await eventually { sink.messages.contains { $0.room.isEveryone } }
            backends[0].streams.unfollow(room, hub: hub)
            try await eventually {
                let channels = try await fixture.redis.cli("PUBSUB", "CHANNELS")
                return !channels.contains("lesson-1") && channels.contains(":all")
            }
        }
    }

    @Test(arguments: ["", "elsewhere"])
    func `a message that no log holds is asked about once, and the room goes on`(epoch: String) async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            let first = try await backends[0].messageLog.publish(Publication(room, "1"))
            let stray = "m \(epoch.isEmpty ? first.position.epoch : epoch) 99 1700000000000 1 5 alice\"stray\""
            let channel = Keys(prefix: "m").channel(room).name
            #expect(try await fixture.redis.cli("PUBLISH", channel, stray) == "1")
            let before = try await fixture.calls(of: "xrange")
            for index in 2...200 { _ = try await backends[0].messageLog.publish(Publication(room, "\(index)")) }
            try await eventually { sink.sequence.last == 200 }
            #expect(sink.sequence == Array(1...200))
            #expect(sink.gaps.isEmpty && sink.epochs.isEmpty)
            // Each sixteenth message looks for old ones, and the stray one was asked about.
            #expect(try await fixture.calls(of: "xrange") - before < 12 + 10)
        }
    }

    @Test func `listeners that leave and come back again and again are answered each time`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for ticket in FollowTicket(1)...200 {
                backends[0].streams.follow(room, ticket: ticket, hub: hub)
                if ticket % 50 == 0 { try await eventually { sink.hasAnswer(to: ticket) } }
                backends[0].streams.unfollow(room, hub: hub)
            }
            backends[0].streams.follow(room, ticket: 201, hub: hub)
            try await eventually { sink.position(of: 201) != nil }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually { sink.sequence == [1] }
        }
    }
}
