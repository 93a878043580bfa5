import GatewayCore
import RedisBackend
import TestKit
import Testing

@Suite("The streams of rooms")
struct RouterTests {
    @Test("two nodes see the messages of both in one order")
    func delivers() async throws {
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

    @Test("a listener that joins under load gets everything after its position, once")
    func joinsUnderLoad() async throws {
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

    @Test("a quiet room whose last message was lost on the link is caught up without another one")
    func catchesUpAfterACut() async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            _ = try await backends[1].messageLog.publish(Publication(room, "before"))
            try await eventually { sink.sequence == [1] }

            try await proxy.refuse(true)
            try await proxy.cutAll()
            try await eventually { backends[0].problem != nil }
            for index in 0..<300 { _ = try await backends[1].messageLog.publish(Publication(room, "\(index)")) }
            try await proxy.refuse(false)

            try await eventually { sink.sequence.count == 301 }
            #expect(sink.sequence == Array(1...301))
            #expect(sink.gaps.isEmpty && sink.epochs.isEmpty)
        }
        try await proxy.stop()
    }

    @Test("a Redis that is killed and comes back with its data costs an epoch and no gap")
    func survivesARestart() async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        options.appendFsync = "always"
        let fixture = try RedisFixture(options)
        try await fixture.withBackends([nil, nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            for _ in 0..<3 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            try await eventually { sink.sequence == [1, 2, 3] }

            fixture.redis.kill9()
            try fixture.redis.restart(keepingData: true)
            try await eventually { backends.allSatisfy { $0.problem == nil } }
            let after = try await backends[1].messageLog.publish(Publication(room, "1"))
            #expect(after.position.seq == 4)
            try await eventually { sink.sequence.last == 4 }
            #expect(sink.sequence == [1, 2, 3, 4])
            #expect(sink.gaps.isEmpty)
            #expect(sink.epochs == [Position(epoch: after.position.epoch, seq: 3)])
        }
    }

    @Test("a Redis that comes back empty is told as a gap, and the room goes on")
    func tellsAnEmptiedRedis() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            _ = try await backends[0].messageLog.publish(Publication(room, "0"))
            try await eventually { sink.sequence == [1] }
            fixture.redis.kill9()
            try fixture.redis.restart(keepingData: false)
            try await eventually { sink.gaps.count == 1 }
            let after = try await backends[0].messageLog.publish(Publication(room, "1"))
            #expect(after.position == Position(epoch: sink.gaps[0].epoch, seq: 1))
            try await eventually { sink.sequence == [1, 1] }
        }
    }

    @Test("FLUSHALL in a quiet room is noticed by the beat and told")
    func noticesAFlush() async throws {
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

    @Test("listeners that Redis does not answer are told so, and may ask again")
    func failsFollowers() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            fixture.redis.kill9()
            try await eventually { backends[0].problem != nil }
            backends[0].streams.follow(room, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            #expect(sink.position(of: 1) == nil)
            try fixture.redis.restart(keepingData: false)
            try await eventually { backends[0].problem == nil }
            backends[0].streams.follow(room, ticket: 2, hub: hub)
            try await eventually { sink.position(of: 2) != nil }
        }
    }

    @Test("everyone's room goes to all who follow it, and a room nobody follows is left")
    func followsAndLeaves() async throws {
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
}
