import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Listeners that go and come back again and again, as clients do behind tunnels and over deploys.
@Suite("Listeners that come back", .serialized)
struct RouterReturnFaults {
    /// One client's view of a room over all its connections.
    private struct Client {
        let room: RoomName
        var seen: ClientPosition
        var sequence: [Int] = []
        var isWhole = true

        init(_ room: RoomName) {
            self.room = room
            seen = ClientPosition(epoch: nil, seq: 0)
        }

        /// Follows from where it was until it has seen a few more messages, or the last; then goes.
        mutating func connect(to backend: Backend, untilMore count: Int, last: Int) async throws {
            let sink = RecordingSink()
            let hub = backend.streams.open(sink)
            backend.streams.follow(room, since: seen, ticket: 1, hub: hub)
            let (room, goal) = (room, min(seen.seq + count, last))
            try await eventually("an answer") { sink.hasAnswer(to: 1) }
            // Redis was away: the client tries again.
            guard let start = sink.start(of: 1) else { return }
            if !start.hasMore {
                try await eventually("\(room) up to \(goal)") { (sink.sequence.last ?? start.position.seq) >= goal }
            }
            backend.streams.unfollow(room, hub: hub)
            let sequence = sink.sequence
            isWhole = isWhole && start.recovered && sink.gaps.isEmpty
            self.sequence += sequence
            let epoch = sink.epochs.last?.epoch ?? start.position.epoch
            seen = ClientPosition(epoch: epoch, seq: sequence.last ?? seen.seq)
        }
    }

    @Test func `each sees every message once and in order, on whatever node, while links lag and break`() async throws {
        let limits = LogLimits(size: 10_000, age: .seconds(600))
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: limits))
        let proxies = [
            try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath)),
            try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath)),
        ]
        let urls = proxies.map { "redis://127.0.0.1:\($0.port)" }
        try await fixture.withBackends([urls[0], urls[1], nil], recoverLimit: 50) { backends in
            let last = 1500
            let rooms = (0..<3).map { RoomName(unchecked: "room-\($0)") }
            try await withThrowingTaskGroup(of: Client?.self) { group in
                for room in rooms {
                    group.addTask {
                        for _ in 1...last { _ = try await backends[2].messageLog.publish(Publication(room, "0")) }
                        return nil
                    }
                }
                for index in 0..<24 {
                    group.addTask {
                        var client = Client(rooms[index % 3])
                        while client.seen.seq < last {
                            let backend = backends[Int.random(in: 0...1)]
                            try await client.connect(to: backend, untilMore: .random(in: 1...120), last: last)
                        }
                        return client
                    }
                }
                group.addTask {
                    for round in 0..<12 {
                        let proxy = proxies[round % 2]
                        let treatment: FaultProxy.Treatment = round % 3 == 1 ? .delay(.milliseconds(15)) : .pass
                        try await proxy.treat(.toClient, treatment, isForNewOnly: true)
                        try await proxy.cutAll()
                        let log = backends[2].messageLog
                        try await eventually {
                            let range = HistoryRange(edge: .newest, limit: 1)
                            let head = try await log.history(of: rooms[0], range: range).head
                            return head.seq >= (round + 1) * last / 12
                        }
                    }
                    for proxy in proxies {
                        try await proxy.treat(.toClient, .pass, isForNewOnly: true)
                        try await proxy.cutAll()
                    }
                    return nil
                }
                for try await client in group {
                    guard let client else { continue }
                    #expect(client.isWhole)
                    #expect(client.sequence.count == last && client.sequence == Array(1...last))
                }
            }
        }
        for proxy in proxies { try await proxy.stop() }
    }

    @Test func `positions from before a restart of Redis are good, and those it lost are told`() async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        options.appendFsync = "always"
        let fixture = try RedisFixture(options)
        try await fixture.withBackends([nil, nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 0, hub: backends[0].streams.open(sink))
            try await eventually { sink.hasAnswer(to: 0) }
            for _ in 1...20 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            try await eventually { sink.sequence.last == 20 }
            let before = try #require(sink.start(of: 0)).position.epoch

            fixture.redis.kill9()
            // Somebody comes while Redis is away, from before the restart.
            let early = RecordingSink()
            backends[0].streams.follow(
                room, since: ClientPosition(epoch: before, seq: 5), ticket: 1, hub: backends[0].streams.open(early))
            try fixture.redis.restart(keepingData: true)
            try await eventually { backends.allSatisfy { $0.problem == nil } }
            try await eventually { early.hasAnswer(to: 1) }
            for _ in 21...25 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }

            // One node has everything in memory, the other has seen nothing.
            for backend in backends {
                let late = RecordingSink()
                let hub = backend.streams.open(late)
                for (ticket, seq) in [5, 20, 21].enumerated() {
                    let since = ClientPosition(epoch: before, seq: seq)
                    backend.streams.follow(room, since: since, ticket: FollowTicket(ticket), hub: hub)
                }
                try await eventually { (0..<3).allSatisfy { late.hasAnswer(to: $0) } }
                let starts = (0..<3).compactMap { late.start(of: $0) }
                // No message of the old epoch had this number: what it was is lost.
                #expect(starts.map(\.recovered) == [true, true, false])
                #expect(starts.map { $0.missed.map(\.seq) } == [Array(6...25), Array(21...25), []])
                #expect(starts.allSatisfy { $0.position.seq == 25 && $0.position.epoch != before })
            }
            if early.position(of: 1) != nil {
                try await eventually { early.sequence.last == 25 }
                #expect(early.sequence == Array(6...25) && early.gaps.isEmpty)
            }
        }
    }
}
