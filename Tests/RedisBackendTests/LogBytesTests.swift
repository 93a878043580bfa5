import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Logs bounded in bytes")
struct LogBytesTests {
    private static let bytes = 64 << 10
    private static let all = HistoryRange(edge: .after(0), limit: 1000)

    private static func text(_ count: Int) -> String { "\"" + String(repeating: "x", count: count) + "\"" }

    private static func held(_ page: HistoryPage) -> Int { page.messages.reduce(0) { $0 + $1.payload.count } }

    @Test func `a room keeps no more bytes than its rule says, whatever its count, and the newest of them`()
        async throws
    {
        let rules = RoomRules(defaultLog: LogLimits(size: 1000, age: .seconds(60), bytes: Self.bytes))
        try await RedisFixture(rules: rules).withBackends([nil]) { backends in
            let log = backends[0].messageLog
            for _ in 1...200 {
                _ = try await log.publish(Publication(room, Self.text(2000)))
                let page = try await log.history(of: room, range: Self.all)
                #expect(Self.held(page) <= Self.bytes)
            }
            let page = try await log.history(of: room, range: Self.all)
            // A sixteenth of the bound goes at a time.
            #expect(Self.held(page) > Self.bytes * 7 / 8)
            #expect(page.messages.last?.seq == 200)
            #expect(page.messages.map(\.seq) == Array((page.messages.first?.seq ?? 0)...200))
        }
    }

    @Test func `whoever has missed more than it keeps is told so, and whoever has not gets the rest`() async throws {
        let rules = RoomRules(defaultLog: LogLimits(size: 1000, age: .seconds(60), bytes: Self.bytes))
        try await RedisFixture(rules: rules).withBackends([nil]) { backends in
            let log = backends[0].messageLog
            for _ in 1...100 { _ = try await log.publish(Publication(room, Self.text(2000))) }
            let page = try await log.history(of: room, range: Self.all)
            let first = try #require(page.messages.first?.seq)
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for (ticket, seq) in [first - 2, first - 1, 0].enumerated() {
                backends[0].streams.follow(
                    room, since: ClientPosition(epoch: page.head.epoch, seq: seq), ticket: FollowTicket(ticket),
                    hub: hub)
            }
            try await eventually { (0..<3).allSatisfy { sink.hasAnswer(to: FollowTicket($0)) } }
            let starts = (0..<3).compactMap { sink.start(of: FollowTicket($0)) }
            #expect(starts.map(\.recovered) == [false, true, true])
            #expect(starts.map(\.missed.first?.seq) == [nil, first, first])
        }
    }

    @Test func `a message that is longer than all a room may keep is delivered, and nothing is kept`() async throws {
        let rules = RoomRules(defaultLog: LogLimits(size: 1000, age: .seconds(60), bytes: Self.bytes))
        try await RedisFixture(rules: rules).withBackends([nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            let log = backends[0].messageLog
            for count in [10, 2 * Self.bytes, 10] { _ = try await log.publish(Publication(room, Self.text(count))) }
            try await eventually { sink.sequence == [1, 2, 3] }
            #expect(sink.gaps.isEmpty)
            #expect(try await log.history(of: room, range: Self.all).messages.map(\.seq) == [3])
        }
    }

    @Test func `what goes by count or with the key, and a new epoch, neither free bytes that are held nor hold others`()
        async throws
    {
        let rules = RoomRules(defaultLog: LogLimits(size: 100, age: .seconds(60), bytes: Self.bytes))
        let fixture = try RedisFixture(rules: rules)
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let keys = Keys(prefix: "m")
            // Ten times the bytes pass through, and the count alone bounds what is kept.
            for _ in 1...3000 { _ = try await log.publish(Publication(room, Self.text(100))) }
            #expect(try await log.history(of: room, range: Self.all).messages.count >= 100)
            _ = try await fixture.redis.cli("DEL", keys.log(room).name)
            for _ in 1...20 { _ = try await log.publish(Publication(room, Self.text(2000))) }
            #expect(try await log.history(of: room, range: Self.all).messages.count == 20)
            _ = try await fixture.redis.cli("HSET", keys.state(Partition(of: room)).name, "run", "another")
            for _ in 1...50 { _ = try await log.publish(Publication(room, Self.text(2000))) }
            let page = try await log.history(of: room, range: Self.all)
            #expect(Self.held(page) <= Self.bytes && Self.held(page) > Self.bytes * 7 / 8)
            #expect(page.messages.last?.seq == 3070)
        }
    }

    @Test func `the ledger and the streams for consumers keep no more bytes than they may`() async throws {
        var rule = RoomRule(pattern: try #require(RoomPattern("*")), log: LogLimits(size: 10, age: .seconds(60)))
        rule.tellsMessages = true
        rule.isStreamed = true
        var rules = RoomRules(rules: [rule])
        rules.streamBytes = 2 * Self.bytes
        let fixture = try RedisFixture(rules: rules)
        let configure: @Sendable (Int, inout Backend.Configuration) -> Void = {
            $1.receivers = [WebhookReceiver(name: "hook-a", url: "http://a", types: nil)]
            $1.webhookLedger.bytes = Self.bytes
        }
        try await fixture.withBackends([nil], configure: configure) { backends in
            for _ in 1...200 { _ = try await backends[0].messageLog.publish(Publication(room, Self.text(2000))) }
            let keys = Keys(prefix: "m")
            let partition = Partition(of: room)
            for (stream, bytes) in [(keys.events(partition), Self.bytes), (keys.messages(partition), 2 * Self.bytes)] {
                let kept = try #require(Int(try await fixture.redis.cli("XLEN", stream.name)))
                #expect(kept * 2000 <= bytes && kept * 2200 > bytes * 7 / 8, "\(stream.name)")
            }
        }
    }
}
