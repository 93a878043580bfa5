import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Payloads that are taken away")
struct RedactionTests {
    private static let room = RoomName(unchecked: "kept")
    private static let partition = Partition(of: room)

    private static func rules(log: LogLimits = LogLimits(size: 1000, age: .seconds(3600))) throws -> RoomRules {
        var rule = RoomRule(pattern: try #require(RoomPattern("kept")), log: log)
        rule.isArchived = true
        rule.tellsMessages = true
        var rules = RoomRules(rules: [rule])
        rules.archivesInboxes = true
        return rules
    }

    private static func text(_ messages: [RoomMessage]) -> [String] {
        messages.map { "\($0.seq) \(String(decoding: $0.payload, as: UTF8.self))\($0.isRedacted ? " redacted" : "")" }
    }

    @Test func `a message loses its payload in log, stream, rings and what the archive is told; again changes nothing`()
        async throws
    {
        let fixture = try RedisFixture(rules: try Self.rules())
        try await fixture.withBackends([nil, nil]) { backends in
            let sinks = [RecordingSink(), RecordingSink()]
            for (backend, sink) in zip(backends, sinks) {
                let hub = backend.streams.open(sink)
                backend.streams.follow(Self.room, since: nil, portion: .unbounded, ticket: 1, hub: hub)
                try await eventually { sink.hasAnswer(to: 1) }
            }
            for number in 1...5 {
                _ = try await backends[0].messageLog.publish(Publication(Self.room, "{\"n\":\(number)}"))
            }
            try await eventually { sinks.allSatisfy { $0.sequence == [1, 2, 3, 4, 5] } }
            let redacted = try #require(try await backends[1].messageErasure.redact(3, of: nil, in: Self.room))
            #expect(redacted.position.seq == 3 && redacted.version == 0)
            #expect(try await backends[0].messageErasure.redact(3, of: nil, in: Self.room) == redacted)
            #expect(try await backends[0].messageErasure.redact(6, of: nil, in: Self.room) == nil)
            #expect(try await backends[0].messageErasure.redact(1, of: "other", in: RoomName(unchecked: "x")) == nil)
            let page = try await backends[0].messageLog.history(
                of: Self.room, range: HistoryRange(edge: .newest, limit: 10))
            let expected = ["1 {\"n\":1}", "2 {\"n\":2}", "3 null redacted", "4 {\"n\":4}", "5 {\"n\":5}"]
            #expect(Self.text(page.messages) == expected)
            for (index, sink) in sinks.enumerated() {
                try await eventually { !sink.redactions.isEmpty }
                #expect(
                    sink.redactions == [
                        Redaction(
                            room: Self.room, epoch: redacted.position.epoch, isPresent: true, seqs: [3])
                    ])
                // What the node remembers serves who comes back.
                let since = ClientPosition(epoch: nil, seq: 2)
                backends[index].streams.follow(Self.room, since: since, portion: .unbounded, ticket: 2, hub: 0)
                try await eventually { sink.hasAnswer(to: 2) }
                #expect(Self.text(sink.start(of: 2)?.missed ?? []) == Array(expected.dropFirst(2)))
            }
            let stream = try await fixture.redis.cli("XRANGE", "m:\(Self.partition.tag):messages", "-", "+")
            #expect(!stream.contains("{\"n\":3}") && stream.contains("{\"n\":4}"))
            #expect(stream.contains("redacted"))
            let told = try await fixture.redis.cli("HGETALL", "m:\(Self.partition.tag):redactions")
            #expect(told.hasPrefix("\(redacted.position.epoch) 3 kept\n1 "), "\(told)")
            #expect(try await fixture.redis.cli("KEYS", "*:anew") == "")
            // The log goes on behind it, and lives as long as before.
            let next = try await backends[0].messageLog.publish(Publication(Self.room, "6"))
            #expect(next.position.seq == 6)
            let life = Int(try await fixture.redis.cli("TTL", "m:\(Self.partition.tag):room:kept:log")) ?? 0
            #expect((3000...3600).contains(life))
        }
    }

    @Test func `what the log has let go of is taken from the stream all the same`() async throws {
        let fixture = try RedisFixture(rules: try Self.rules(log: LogLimits(size: 0, age: .seconds(60))))
        try await fixture.withBackends([nil]) { backends in
            for number in 1...3 {
                _ = try await backends[0].messageLog.publish(Publication(Self.room, "{\"n\":\(number)}"))
            }
            #expect(try await backends[0].messageErasure.redact(2, of: nil, in: Self.room) != nil)
            let stream = try await fixture.redis.cli("XRANGE", "m:\(Self.partition.tag):messages", "-", "+")
            #expect(!stream.contains("{\"n\":2}") && stream.contains("{\"n\":3}"))
        }
    }

    @Test func `a client has nothing taken away that the room never had, however it calls the epoch`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let keys = Keys(prefix: "m")
        let (own, ann) = (Self.partition, UserID(unchecked: "ann"))
        for _ in 1...2 {
            let limits = LogLimits(size: 10, age: .seconds(60))
            _ = try await observer.store.call(
                Publish(Array("1 3 bob{}".utf8), to: Self.room, limits: limits, candidate: "e1", link: "link0001"))
        }
        // It has seen failovers: what was last of the old counts is lost but in the archive.
        _ = try await redis.cli("HSET", keys.head(Self.room).name, "epoch", "e3", "seq", "9", "ends", "e2=6,e1=3")
        _ = try await redis.cli("HSET", keys.members(Self.room).name, "ann", "{}\u{2}c1\u{1}n1:5")
        _ = try await redis.cli("HSET", keys.settings(of: Self.room).name, "role:ann", "moderator")
        func redact(_ seq: Int, _ epoch: String?) async throws -> String {
            var call = Redact(.one(seq: seq, epoch: epoch), in: Self.room)
            (call.stream, call.isArchived) = (100, true)
            call.author = RoomOrder.Author(user: ann, connection: "c1")
            let answer = try await observer.store.call(call)
            return "\(answer.count) \(answer.position.epoch)"
        }
        for (seq, epoch) in [
            (1, "other"), (9, "other"), (10, "e3"), (3, "e3"), (6, "e3"), (3, "e2"), (10, "e2"), (10, "e1"), (10, nil),
        ] as [(Int, String?)] {
            #expect(try await redact(seq, epoch) == "0 ", "\(seq) of \(epoch ?? "none")")
        }
        #expect(try await redis.cli("HLEN", keys.redactions(own).name) == "0")
        for (seq, epoch, its) in [
            (9, "e3", "e3"), (5, nil, "e2"), (8, "e2", "e2"), (4, "e1", "e1"), (1, nil, "e1"),
        ] as [(Int, String?, String)] {
            #expect(try await redact(seq, epoch) == "1 \(its)", "\(seq) of \(epoch ?? "none")")
        }
        #expect(try await redis.cli("HLEN", keys.redactions(own).name) == "5")
    }

    @Test func `what the archive has yet to take away is not asked of it again`() async throws {
        let fixture = try RedisFixture(rules: try Self.rules(log: LogLimits(size: 0, age: .seconds(60))))
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(Self.room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.hasAnswer(to: 1) }
            for number in 1...3 {
                _ = try await backends[0].messageLog.publish(Publication(Self.room, "{\"n\":\(number)}"))
            }
            let first = try #require(try await backends[0].messageErasure.redact(2, of: nil, in: Self.room))
            let stream = "m:\(Self.partition.tag):messages"
            let count = try await fixture.redis.cli("XLEN", stream)
            #expect(try await backends[0].messageErasure.redact(2, of: nil, in: Self.room) == first)
            #expect(try await fixture.redis.cli("XLEN", stream) == count)
            _ = try await backends[0].messageErasure.redact(3, of: nil, in: Self.room)
            try await eventually { sink.redactions.last?.seqs == [3] }
            #expect(sink.redactions.map(\.seqs) == [[2], [3]])
        }
    }

    @Test func `what reached the partition's stream some milliseconds after its timestamp is taken from there too`()
        async throws
    {
        let fixture = try RedisFixture(rules: try Self.rules())
        try await fixture.withBackends([nil]) { backends in
            _ = try await backends[0].messageLog.publish(Publication(Self.room, "{\"n\":1}"))
            let stream = "m:\(Self.partition.tag):messages"
            let entry = try await fixture.redis.cli("XRANGE", stream, "-", "+").split(separator: "\n").map(String.init)
            let ms = try #require(entry.first.flatMap { Int($0.prefix { $0 != "-" }) })
            let fields = entry.dropFirst()
            _ = try await fixture.redis.cli("DEL", stream)
            _ = try await RedisServerProcess.cli(
                ["-s", fixture.redis.socketPath, "XADD", stream, "\(ms + 9)-0"] + fields)
            #expect(try await backends[0].messageErasure.redact(1, of: nil, in: Self.room) != nil)
            let left = try await fixture.redis.cli("XRANGE", stream, "-", "+")
            #expect(left.contains("redacted") && !left.contains("{\"n\":1}"))
        }
    }

    @Test func `a user is erased from all logs, the inbox and when they were last seen`() async throws {
        let fixture = try RedisFixture(rules: try Self.rules())
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let bob = UserID(unchecked: "bob")
            let inbox = RoomName(inboxOf: UserID(unchecked: "alice"))
            for room in [Self.room, RoomName(unchecked: "other"), RoomName(inboxOf: bob), inbox] {
                for number in 1...3 {
                    let user = number == 2 ? UserID(unchecked: "alice") : bob
                    _ = try await log.publish(
                        Publication(room: room, userId: user, payload: Array("{\"n\":\(number)}".utf8)))
                }
            }
            let erased = try await backends[0].messageErasure.erase(UserID(unchecked: "alice"))
            #expect(erased == Erased(rooms: 4, messages: 6))
            for room in [Self.room, RoomName(unchecked: "other"), RoomName(inboxOf: bob)] {
                let page = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 10))
                #expect(Self.text(page.messages) == ["1 {\"n\":1}", "2 null redacted", "3 {\"n\":3}"])
            }
            let page = try await log.history(of: inbox, range: HistoryRange(edge: .newest, limit: 10))
            #expect(page.messages.allSatisfy { $0.isRedacted } && page.messages.count == 3)
            #expect(try await backends[0].messageErasure.erase(UserID(unchecked: "alice")) == Erased())
            let streams = try await fixture.redis.cli("XRANGE", "m:\(Partition(of: inbox).tag):messages", "-", "+")
            #expect(streams.contains("@alice") && !streams.contains("{\"n\":1}"))
        }
    }

    @Test func `receivers of events are told of it without its payload, and so are dead letters`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let store = observer.store
        let partition = Self.partition
        let holder = Holder(node: "n1", incarnation: 5)
        _ = try await store.call(ClaimPartition(partition, for: holder, live: [holder]))
        let assignment = LedgerAssignment(partition: partition.number, token: "n1:5 1")
        let kept = Publish.Bound(entries: 100, bytes: 1 << 20)
        func publish(_ payload: String) async throws {
            var call = Publish(
                Array("1 3 bob\(payload)".utf8), to: Self.room, limits: LogLimits(size: 10, age: .seconds(60)),
                candidate: "e1", link: "link0001")
            call.ledger = kept
            _ = try await store.call(call)
        }
        func redact(_ seq: Int) async throws {
            var call = Redact(.one(seq: seq, epoch: nil), in: Self.room)
            call.receivers = ["w"]
            #expect(try await store.call(call).position.seq == seq)
        }
        func gather() async throws -> [LedgerEntry] {
            switch try await store.call(Gather(assignment, for: "w", candidate: "b1")) {
            case .gathered(let gathered): gathered.entries
            case .nothing, .refused: []
            }
        }
        for number in 1...3 { try await publish("{\"n\":\(number)}") }
        let entries = try await gather()
        #expect(entries.count == 3)
        let ids = entries.map(\.id)
        // The second is among the dead letters when it is redacted, the first is on its way there.
        let settled = Settle.Entries(wanted: [ids[1]], others: [], last: ids[1])
        _ = try await store.call(
            Settle(
                .givenUp(settled, reason: "x"), of: assignment, for: "w",
                deadLetters: Publish.Bound(entries: 9, bytes: 1 << 20)))
        try await redact(1)
        try await redact(2)
        #expect(try await gather().map(\.id) == [ids[0], ids[2]])
        let letters = "m:\(partition.tag):dead:w"
        #expect(try await redis.cli("XRANGE", letters, "-", "+").contains("1 3 bob null"))
        let others = Settle.Entries(wanted: [ids[2]], others: [], last: ids[2])
        _ = try await store.call(
            Settle(.givenUp(others, reason: "x"), of: assignment, for: "w", deadLetters: kept))
        let all = try await redis.cli("XRANGE", letters, "-", "+")
        #expect(!all.contains("{\"n\":2}") && all.contains("{\"n\":3}"))
        #expect(try await redis.cli("ZCARD", "m:\(partition.tag):withheld") == "2")
        withExtendedLifetime(observer) {}
    }
}
