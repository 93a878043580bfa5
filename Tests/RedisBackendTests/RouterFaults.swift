import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Streams over breaks, kills and restarts of Redis; one after the other, since each waits for time to pass.
@Suite("The streams of rooms under fire", .serialized)
struct RouterFaults {
    @Test func `a quiet room whose last message was lost on the link is caught up without another one`() async throws {
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

    @Test func `a Redis that is killed and comes back with its data costs an epoch and no gap`() async throws {
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

    @Test func `a Redis that comes back empty is told as a gap, and the room goes on`() async throws {
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

    @Test func `listeners that Redis does not answer are told so, and may ask again`() async throws {
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

    @Test func `a room that keeps nothing is told what was lost in a break, and goes on behind it`() async throws {
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: LogLimits(size: 0, age: .seconds(60))))
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            _ = try await backends[1].messageLog.publish(Publication(room, "1"))
            try await eventually { sink.sequence == [1] }

            try await proxy.refuse(true)
            try await proxy.cutAll()
            try await eventually { backends[0].problem != nil }
            for index in 2...4 { _ = try await backends[1].messageLog.publish(Publication(room, "\(index)")) }
            try await proxy.refuse(false)

            try await eventually { sink.gaps.map(\.seq) == [4] }
            _ = try await backends[1].messageLog.publish(Publication(room, "5"))
            try await eventually { sink.sequence == [1, 5] }
        }
        try await proxy.stop()
    }

    @Test func `a listener that joins after a restart is told the new epoch's position, the others the epoch`()
        async throws
    {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let fixture = try RedisFixture(options)
        try await fixture.withBackends([nil]) { backends in
            let sinks = [RecordingSink(), RecordingSink()]
            let hubs = sinks.map { backends[0].streams.open($0) }
            backends[0].streams.follow(room, ticket: 1, hub: hubs[0])
            try await eventually { sinks[0].position(of: 1) != nil }
            let before = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually { sinks[0].sequence == [1] }

            fixture.redis.kill9()
            // Asked while Redis is away: it waits for it.
            backends[0].streams.follow(room, ticket: 2, hub: hubs[1])
            try fixture.redis.restart(keepingData: true)
            try await eventually { sinks[1].position(of: 2) != nil && sinks[0].epochs.count == 1 }
            let joined = try #require(sinks[1].position(of: 2))
            #expect(joined.seq == 1 && joined.epoch != before.position.epoch)
            #expect(sinks[0].epochs == [joined] && sinks[0].gaps.isEmpty)
            let after = try await backends[0].messageLog.publish(Publication(room, "2"))
            #expect(after.position == Position(epoch: joined.epoch, seq: 2))
            try await eventually { sinks[0].sequence == [1, 2] && sinks[1].sequence == [2] }
        }
    }

    @Test func `listeners are answered once and messages come in order while the link lags and breaks`() async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            let sinks = (0..<30).map { _ in RecordingSink() }
            let last = 1000
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for index in 1...last {
                        _ = try await backends[1].messageLog.publish(Publication(room, "\(index)"))
                    }
                }
                for (index, sink) in sinks.enumerated() {
                    switch index % 6 {
                    case 1:
                        try await proxy.treat(.toClient, .delay(.milliseconds(20)), isForNewOnly: true)
                        try await proxy.cutAll()
                    case 3: try await proxy.treat(.toClient, .pass, isForNewOnly: true)
                    case 5: try await proxy.cutAll()
                    default: break
                    }
                    backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
                    if index % 2 == 0 { try await eventually { sink.hasAnswer(to: 1) } }
                }
                try await group.waitForAll()
            }
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()
            for sink in sinks { try await eventually { sink.hasAnswer(to: 1) } }
            for sink in sinks where sink.position(of: 1) != nil {
                let start = try #require(sink.position(of: 1)).seq
                try await eventually { start == last || sink.sequence.last == last }
                #expect(sink.sequence == Array((start + 1)..<(last + 1)))
                #expect(sink.gaps.isEmpty)
            }
            for sink in sinks { #expect(sink.answers(to: 1) == 1) }
        }
        try await proxy.stop()
    }
}
