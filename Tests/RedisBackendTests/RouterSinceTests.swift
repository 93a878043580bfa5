import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("What listeners have missed")
struct RouterSinceTests {
    @Test func `a position gives exactly what came after it, from memory and from the log alike`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            // The first node has seen everything, the second nothing.
            let early = RecordingSink()
            backends[0].streams.follow(room, ticket: 0, hub: backends[0].streams.open(early))
            try await eventually { early.position(of: 0) != nil }
            for index in 1...30 { _ = try await backends[1].messageLog.publish(Publication(room, "\(index)")) }
            try await eventually { early.sequence.last == 30 }
            let epoch = try #require(early.position(of: 0)).epoch

            for backend in backends {
                let sink = RecordingSink()
                let hub = backend.streams.open(sink)
                for seq in 0...33 {
                    for (index, known) in [epoch, nil, "elsewhere"].enumerated() {
                        let ticket = FollowTicket(seq * 3 + index)
                        backend.streams.follow(
                            room, since: ClientPosition(epoch: known, seq: seq), ticket: ticket, hub: hub)
                    }
                }
                for ticket in FollowTicket(0)..<102 {
                    try await eventually { sink.hasAnswer(to: ticket) }
                    let start = try #require(sink.start(of: ticket))
                    let (seq, isElsewhere) = (Int(ticket / 3), ticket % 3 == 2)
                    let isGood = seq == 0 || (seq <= 30 && !isElsewhere)
                    #expect(start.recovered == isGood, "seq \(seq)")
                    #expect(start.missed.map(\.seq) == (isGood ? Array((seq + 1)..<31) : []))
                    #expect(start.position == Position(epoch: epoch, seq: 30) && !start.hasMore)
                }
            }
        }
    }

    @Test func `what was missed and what is live join without a hole or a repeat while others publish`() async throws {
        try await RedisFixture().withBackends([nil, nil, nil]) { backends in
            let last = 600
            let sinks = (0..<60).map { _ in RecordingSink() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<(last / 2) { _ = try await backends[2].messageLog.publish(Publication(room, "0")) }
                    }
                }
                for (index, sink) in sinks.enumerated() {
                    let log = backends[2].messageLog
                    try await eventually {
                        let page = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 1))
                        return page.head.seq > index * 8
                    }
                    let backend = backends[index % 2]
                    let since = ClientPosition(epoch: nil, seq: Int.random(in: 0...(index * 8)))
                    backend.streams.follow(
                        room, since: since, ticket: FollowTicket(since.seq), hub: backend.streams.open(sink))
                }
                try await group.waitForAll()
            }
            for sink in sinks {
                try await eventually { sink.sequence.last == last }
                let since = try #require(sink.sequence.first) - 1
                #expect(sink.start(of: FollowTicket(since))?.recovered == true)
                #expect(sink.sequence == Array((since + 1)...last))
            }
        }
    }

    @Test
    func `a log that was trimmed says so to those who are behind it, and gives all it has to those who ask for that`()
        async throws
    {
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: LogLimits(size: 100, age: .seconds(60))))
        try await fixture.withBackends([nil]) { backends in
            for _ in 1...350 { _ = try await backends[0].messageLog.publish(Publication(room, "0")) }
            let page = try await backends[0].messageLog.history(
                of: room, range: HistoryRange(edge: .after(0), limit: 1000))
            let first = try #require(page.messages.first).seq
            #expect(first > 100)
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for (ticket, seq) in [first - 2, first - 1, 0, 1].enumerated() {
                let since = ClientPosition(epoch: page.head.epoch, seq: seq)
                backends[0].streams.follow(room, since: since, ticket: FollowTicket(ticket), hub: hub)
            }
            try await eventually { (0..<4).allSatisfy { sink.hasAnswer(to: $0) } }
            let starts = (0..<4).compactMap { sink.start(of: $0) }
            #expect(starts.map(\.recovered) == [false, true, true, false])
            #expect(starts.map { $0.missed.count } == [0, 351 - first, 351 - first, 0])
            #expect(starts.allSatisfy { $0.position.seq == 350 })
        }
    }

    @Test func `the last messages come as many as are asked for, or as the log holds, from memory and the log alike`()
        async throws
    {
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: LogLimits(size: 100, age: .seconds(60))))
        try await fixture.withBackends([nil, nil]) { backends in
            for _ in 1...5 { _ = try await backends[0].messageLog.publish(Publication(room, "0")) }
            let sinks = backends.map { _ in RecordingSink() }
            let hubs = zip(backends, sinks).map { $0.streams.open($1) }
            // The first node begins with the room, the second asks on for what it remembers then.
            for (backend, hub) in zip(backends, hubs) {
                backend.streams.follow(room, since: .last(3), ticket: 0, hub: hub)
            }
            for (backend, (sink, hub)) in zip(backends, zip(sinks, hubs)) {
                try await eventually { sink.hasAnswer(to: 0) }
                for count in 1...7 {
                    backend.streams.follow(room, since: .last(count), ticket: FollowTicket(count), hub: hub)
                    try await eventually { sink.hasAnswer(to: FollowTicket(count)) }
                    let start = try #require(sink.start(of: FollowTicket(count)))
                    #expect(start.missed.map(\.seq) == Array(max(1, 6 - count)...5), "the last \(count)")
                    #expect(start.recovered && !start.hasMore && start.position.seq == 5)
                }
                #expect(sink.start(of: 0)?.missed.map(\.seq) == [3, 4, 5])
            }
        }
    }

    @Test func `a room that keeps nothing recovers only who has missed nothing`() async throws {
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: LogLimits(size: 0, age: .seconds(60))))
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(room, ticket: 10, hub: hub)
            try await eventually { sink.hasAnswer(to: 10) }
            for _ in 1...5 { _ = try await backends[0].messageLog.publish(Publication(room, "0")) }
            try await eventually { sink.messages.count == 5 }
            for seq in 0...6 {
                let since = ClientPosition(epoch: nil, seq: seq)
                backends[0].streams.follow(room, since: since, ticket: FollowTicket(seq), hub: hub)
            }
            try await eventually { (0...6).allSatisfy { sink.hasAnswer(to: $0) } }
            let starts = (0...6).compactMap { sink.start(of: $0) }
            #expect(starts.map(\.recovered) == [true, false, false, false, false, true, false])
            #expect(starts.allSatisfy { $0.missed.isEmpty && $0.position.seq == 5 })
        }
    }

    @Test(arguments: [true, false])
    func `more than fits at once comes in parts, and only the last makes the listener live`(isWarm: Bool) async throws {
        try await RedisFixture().withBackends([nil, nil], recoverLimit: 10) { backends in
            // One who is live, and whose node remembers the messages or not.
            let live = RecordingSink()
            let liveHub = backends[0].streams.open(live)
            if isWarm {
                backends[0].streams.follow(room, ticket: 0, hub: liveHub)
                try await eventually { live.hasAnswer(to: 0) }
            }
            for _ in 1...35 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            if !isWarm { backends[0].streams.follow(room, ticket: 0, hub: liveHub) }
            try await eventually { isWarm ? live.sequence.last == 35 : live.hasAnswer(to: 0) }
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            var since = ClientPosition(epoch: nil, seq: 3)
            for ticket in FollowTicket(1)...4 {
                backends[0].streams.follow(room, since: since, ticket: ticket, hub: hub)
                try await eventually { sink.hasAnswer(to: ticket) }
                let start = try #require(sink.start(of: ticket))
                #expect(start.recovered && start.position.seq == (ticket == 1 ? 35 : 36))
                #expect(start.hasMore == (ticket < 4))
                #expect(start.missed.count == (ticket < 4 ? 10 : 3))
                since = ClientPosition(epoch: start.position.epoch, seq: try #require(start.missed.last).seq)
                if ticket == 1 {
                    // Not live yet: what comes now is part of what it asks for later.
                    _ = try await backends[1].messageLog.publish(Publication(room, "0"))
                    try await eventually { live.sequence.last == 36 }
                    #expect(sink.messages.isEmpty)
                }
            }
            _ = try await backends[1].messageLog.publish(Publication(room, "0"))
            try await eventually { sink.sequence.last == 37 }
            #expect(sink.sequence == Array(4...37))
        }
    }

    @Test(arguments: [true, false])
    func `an answer holds no more than the listener takes, from memory and the log alike`(isWarm: Bool) async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let live = RecordingSink()
            let liveHub = backends[0].streams.open(live)
            if isWarm {
                backends[0].streams.follow(room, ticket: 0, hub: liveHub)
                try await eventually { live.hasAnswer(to: 0) }
            }
            let payload = String(repeating: "1", count: 800)
            for _ in 1...20 { _ = try await backends[1].messageLog.publish(Publication(room, payload)) }
            if isWarm { try await eventually { live.sequence.last == 20 } }
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            let portions: [Portion] = [
                .none, Portion(bytes: 999), Portion(bytes: 999, atLeastOne: true), Portion(bytes: 4000),
                Portion(bytes: 16_000), .none,
            ]
            // Alone, and all at once.
            for rounds in 0..<2 {
                for (index, portion) in portions.enumerated() {
                    let ticket = FollowTicket(rounds * 10 + index + 1)
                    let since = ClientPosition(epoch: nil, seq: index == 5 ? 20 : 4)
                    backends[0].streams.follow(room, since: since, portion: portion, ticket: ticket, hub: hub)
                    if rounds == 0 { try await eventually { sink.hasAnswer(to: ticket) } }
                }
                for (index, count) in [0, 0, 1, 4, 16, 0].enumerated() {
                    let ticket = FollowTicket(rounds * 10 + index + 1)
                    try await eventually { sink.hasAnswer(to: ticket) }
                    let start = try #require(sink.start(of: ticket))
                    #expect(start.recovered && start.position.seq == 20)
                    #expect(start.missed.map(\.seq) == Array(5..<5 + count), "\(portions[index])")
                    #expect(start.hasMore == (index < 4))
                }
            }
        }
    }

    @Test func `a position that the log no longer reaches is told to a listener that takes nothing yet`() async throws {
        let fixture = try RedisFixture(rules: RoomRules(defaultLog: LogLimits(size: 100, age: .seconds(60))))
        try await fixture.withBackends([nil]) { backends in
            for _ in 1...350 { _ = try await backends[0].messageLog.publish(Publication(room, "0")) }
            let page = try await backends[0].messageLog.history(
                of: room, range: HistoryRange(edge: .after(0), limit: 1000))
            let first = try #require(page.messages.first).seq
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for (ticket, seq) in [first - 2, first - 1, 0].enumerated() {
                let since = ClientPosition(epoch: page.head.epoch, seq: seq)
                backends[0].streams.follow(
                    room, since: since, portion: .none, ticket: FollowTicket(ticket), hub: hub)
            }
            try await eventually { (0..<3).allSatisfy { sink.hasAnswer(to: $0) } }
            let starts = (0..<3).compactMap { sink.start(of: $0) }
            #expect(starts.map(\.recovered) == [false, true, true])
            #expect(starts.map(\.hasMore) == [false, true, true])
        }
    }

    @Test func `positions of an earlier epoch are good up to its end`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            for _ in 1...3 { _ = try await backends[0].messageLog.publish(Publication(room, "0")) }
            let head = Keys(prefix: "m").head(room).name
            _ = try await fixture.redis.cli("HSET", head, "ends", "old=2,older=1", "epoch", "now")
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            let positions = [("old", 1), ("old", 2), ("old", 3), ("older", 1), ("older", 2), ("gone", 1), ("now", 3)]
            for (ticket, (epoch, seq)) in positions.enumerated() {
                let since = ClientPosition(epoch: epoch, seq: seq)
                backends[0].streams.follow(room, since: since, ticket: FollowTicket(ticket), hub: hub)
            }
            try await eventually { (0..<7).allSatisfy { sink.hasAnswer(to: $0) } }
            let starts = (0..<7).compactMap { sink.start(of: $0) }
            #expect(starts.map(\.recovered) == [true, true, false, true, false, false, true])
            #expect(starts.map { $0.missed.map(\.seq) } == [[2, 3], [3], [], [2, 3], [], [], []])
            #expect(starts.allSatisfy { $0.position == Position(epoch: "now", seq: 3) })
        }
    }

    @Test(arguments: [true, false])
    func `a thousand listeners that come back at once cost Redis a handful of questions`(isWarm: Bool) async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let hubs = (0..<2).map { _ in RecordingSink() }
            let numbers = hubs.map { backends[0].streams.open($0) }
            let warm = RecordingSink()
            if isWarm {
                backends[0].streams.follow(room, ticket: 0, hub: backends[0].streams.open(warm))
                try await eventually { warm.hasAnswer(to: 0) }
            }
            for _ in 1...100 { _ = try await backends[1].messageLog.publish(Publication(room, "0")) }
            if isWarm { try await eventually { warm.sequence.last == 100 } }
            let heads = try await fixture.calls(of: "xrange")
            let start = ContinuousClock.now
            for index in 0..<1000 {
                let since = ClientPosition(epoch: nil, seq: 80 - index % 5)
                backends[0].streams.follow(
                    room, since: since, ticket: FollowTicket(index), hub: numbers[index % 2])
            }
            try await eventually { hubs.allSatisfy { $0.deliveries.count == 500 } }
            let took = start.duration(to: .now)
            let reads = try await fixture.calls(of: "xrange") - heads
            for (index, hub) in hubs.enumerated() {
                for ticket in stride(from: index, to: 1000, by: 2) {
                    let answer = try #require(hub.start(of: FollowTicket(ticket)))
                    #expect(answer.recovered && answer.missed.count == 20 + ticket % 5)
                }
            }
            print(
                "1,000 listeners with 20 missed each, \(isWarm ? "warm" : "cold"): \(took), \(reads) reads of the log")
            #expect(reads <= (isWarm ? 0 : 20))
        }
    }
}
