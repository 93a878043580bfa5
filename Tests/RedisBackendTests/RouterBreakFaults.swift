import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// What followers are told after a break of the link, of rooms, rosters, inboxes and users alike.
@Suite("The streams over a break", .serialized)
struct RouterBreakFaults {
    private let keys = Keys(prefix: "m")
    private let amy = UserID(unchecked: "amy")
    private let bob = UserID(unchecked: "bob")

    @Test func `all that changed while the link was away is told once it is back, in quiet rooms too`() async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            let rooms = (0..<300).map { RoomName(unchecked: "room-\($0)") }
            let inbox = RoomName(inboxOf: amy)
            for (ticket, name) in (rooms + [inbox]).enumerated() {
                backends[0].streams.follow(name, ticket: FollowTicket(ticket), hub: hub)
            }
            backends[0].streams.watch([amy, bob], ticket: 1000, hub: hub)
            try await eventually { (0...300).allSatisfy { sink.hasAnswer(to: FollowTicket($0)) } }
            try await eventually { sink.watched(1000) != nil }

            try await proxy.refuse(true)
            try await proxy.cutAll()
            try await eventually { backends[0].problem != nil }
            for name in [rooms[5], rooms[5], rooms[290], inbox] {
                _ = try await backends[1].messageLog.publish(Publication(name, "0"))
            }
            _ = try await fixture.redis.cli("HSET", keys.head(rooms[17]).name, "roster", "8")
            _ = try await fixture.redis.cli("HSET", keys.members(rooms[17]).name, "amy", "x")
            _ = try await fixture.redis.cli("ZADD", keys.online(Partition(of: "bob")).name, "5000", "bob")
            try await proxy.refuse(false)

            try await eventually { sink.messages.count == 4 }
            try await eventually { !sink.statuses.isEmpty && !sink.rosterChanges.isEmpty }
            #expect(sink.messages.filter { $0.room == rooms[5] }.map(\.seq) == [1, 2])
            #expect(sink.messages.filter { $0.room == inbox }.map(\.seq) == [1])
            #expect(
                sink.rosterChanges.map { [$0.room.string, "\($0.version)", "\($0.members)"] } == [
                    ["room-17", "8", "1"]
                ])
            #expect(sink.statuses == [StatusChange(userId: bob, isOnline: true, state: .active, timestamp: 5000)])
            // The inbox had never been written to: its first message brings the epoch.
            #expect(sink.gaps.isEmpty && sink.epochs.map(\.seq) == [0])
        }
        try await proxy.stop()
    }

    @Test func `listeners that come with a position during a break get exactly what they missed once it is over`()
        async throws
    {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            for _ in 1...10 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            try await proxy.refuse(true)
            try await proxy.cutAll()
            try await eventually { backends[0].problem != nil }
            let sinks = (0..<10).map { _ in RecordingSink() }
            for (seq, sink) in sinks.enumerated() {
                let since = ClientPosition(epoch: nil, seq: seq)
                backends[0].streams.follow(room, since: since, ticket: 1, hub: backends[0].streams.open(sink))
            }
            for _ in 11...20 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            try await proxy.refuse(false)
            _ = try await backends[1].messageLog.publish(Publication(room, "0"))
            for (seq, sink) in sinks.enumerated() {
                try await eventually { sink.sequence.last == 21 }
                #expect(sink.sequence == Array((seq + 1)...21))
                #expect(sink.answers(to: 1) == 1 && sink.gaps.isEmpty)
            }
        }
        try await proxy.stop()
    }

    @Test func `positions given while the link lags and breaks and others publish are answered exactly`() async throws {
        let limits = LogLimits(size: 1000, age: .seconds(60))
        let fixture = try RedisFixture(rules: RoomRules(inboxLog: limits))
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)", nil]) { backends in
            let last = 800
            let inbox = RoomName(inboxOf: amy)
            _ = try await fixture.redis.cli("HSET", keys.connections(of: amy).name, "c1", "node-0:1 1 - s -")
            let sinks = (0..<40).map { _ in RecordingSink() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in [room, inbox] {
                    group.addTask {
                        for _ in 1...last { _ = try await backends[1].messageLog.publish(Publication(name, "0")) }
                    }
                }
                for (index, sink) in sinks.enumerated() {
                    switch index % 8 {
                    case 1:
                        try await proxy.treat(.toClient, .delay(.milliseconds(20)), isForNewOnly: true)
                        try await proxy.cutAll()
                    case 4: try await proxy.treat(.toClient, .pass, isForNewOnly: true)
                    case 7: try await proxy.cutAll()
                    default: break
                    }
                    let since = ClientPosition(epoch: nil, seq: 0)
                    backends[0].streams.follow(
                        index % 2 == 0 ? room : inbox, since: since, ticket: 1, hub: backends[0].streams.open(sink))
                    if index % 3 == 0 { try await eventually { sink.hasAnswer(to: 1) } }
                }
                try await group.waitForAll()
            }
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()
            for sink in sinks { try await eventually { sink.hasAnswer(to: 1) } }
            for (index, sink) in sinks.enumerated() where sink.position(of: 1) != nil {
                try await eventually("listener \(index)") { sink.sequence.last == last }
                #expect(sink.sequence == Array(1...last))
                #expect(sink.gaps.isEmpty && sink.answers(to: 1) == 1, "listener \(index), gaps \(sink.gaps)")
            }
        }
        try await proxy.stop()
    }

    @Test func `a Redis that comes back empty is told to those who come with a position from before`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(room, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            let before = try await backends[0].messageLog.publish(Publication(room, "0"))
            try await eventually { sink.sequence == [1] }
            _ = try await fixture.redis.cli("FLUSHALL")
            try await eventually { sink.gaps.count == 1 }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            backends[0].streams.follow(room, since: ClientPosition(before.position), ticket: 2, hub: hub)
            backends[0].streams.follow(
                room, since: ClientPosition(epoch: nil, seq: 0), ticket: 3, hub: hub)
            try await eventually { sink.hasAnswer(to: 2) && sink.hasAnswer(to: 3) }
            #expect(sink.start(of: 2)?.recovered == false && sink.start(of: 2)?.missed.isEmpty == true)
            #expect(sink.start(of: 3)?.recovered == true && sink.start(of: 3)?.missed.map(\.seq) == [1])
        }
    }

    @Test
    func `a Redis that forgets who is online tells no watcher that they went, unless nobody registers them again`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            for (user, since) in [(amy, 1000), (bob, 2000)] {
                _ = try await fixture.redis.cli(
                    "ZADD", keys.online(Partition(of: user.string)).name, "\(since)", user.string)
            }
            let sink = RecordingSink()
            backends[0].streams.watch([amy, bob], ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.watched(1)?.allSatisfy(\.isOnline) == true }
            _ = try await fixture.redis.cli("FLUSHALL")
            // Amy's node registers her again; nobody does so for Bob.
            _ = try await fixture.redis.cli("ZADD", keys.online(Partition(of: "amy")).name, "3000", "amy")
            _ = try await fixture.redis.cli("PUBLISH", keys.status(of: amy).name, "s 1 3000")
            try await eventually { sink.statuses.count == 1 }
            #expect(sink.statuses.map(\.userId) == [bob] && sink.statuses.map(\.isOnline) == [false])
        }
    }

    @Test func `watchers are answered once Redis is there, and told where it stays away`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            fixture.redis.kill9()
            try await eventually { backends[0].problem != nil }
            backends[0].streams.watch([amy], ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            #expect(sink.watched(1) == nil)
            backends[0].streams.watch([amy], ticket: 2, hub: hub)
            try fixture.redis.restart(keepingData: false)
            try await eventually { sink.watched(2) != nil }
        }
    }
}
