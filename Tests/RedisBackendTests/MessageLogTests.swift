import GatewayCore
import RedisBackend
import TestKit
import Testing

@Suite("The log in Redis")
struct MessageLogTests {
    @Test func `a room's messages are numbered from 1 without holes and come back byte for byte`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let payloads = [
                #"{"a": 1e400 ,"a":9007199254740993}"#, #""\ud800 é""#, "null",
                "[" + String(repeating: "9", count: 60_000) + "]",
            ]
            for (index, payload) in payloads.enumerated() {
                let published = try await backends[0].messageLog.publish(Publication(room, payload))
                #expect(published.position.seq == index + 1)
                #expect(published.timestamp > 1_700_000_000_000)
            }
            let page = try await backends[0].messageLog.history(of: room, range: HistoryRange(edge: .newest, limit: 10))
            #expect(page.messages.map { String(decoding: $0.payload, as: UTF8.self) } == payloads)
            #expect(page.messages.map(\.seq) == [1, 2, 3, 4])
            #expect(page.head.seq == 4 && !page.more)
            #expect(page.messages.allSatisfy { $0.userId.string == "alice" && $0.msgType == 1 })
        }
    }

    @Test func `history pages both ways and says whether there is more`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let log = backends[0].messageLog
            for index in 1...120 { _ = try await log.publish(Publication(room, "\(index)")) }
            let before = try await log.history(of: room, range: HistoryRange(edge: .before(101), limit: 60))
            #expect(before.messages.map(\.seq) == Array(41...100) && before.more)
            let oldest = try await log.history(of: room, range: HistoryRange(edge: .before(41), limit: 60))
            #expect(oldest.messages.map(\.seq) == Array(1...40) && !oldest.more)
            let after = try await log.history(of: room, range: HistoryRange(edge: .after(0), limit: 119))
            #expect(after.messages.map(\.seq) == Array(1...119) && after.more)
            let rest = try await log.history(of: room, range: HistoryRange(edge: .after(119), limit: 1))
            #expect(rest.messages.map(\.seq) == [120] && !rest.more)
        }
    }

    @Test func `a room never written to has no head, and asking does not make one`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let page = try await backends[0].messageLog.history(of: room, range: HistoryRange(edge: .newest, limit: 10))
            #expect(page.head == Position(epoch: "", seq: 0) && page.messages.isEmpty)
            #expect(try await fixture.redis.cli("KEYS", "*lesson-1*").isEmpty)
        }
    }

    @Test func `the same dedupe key of one user is stored once, of two users twice`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let alice = DedupeMark(owner: .user(UserID(unchecked: "alice")), key: "k")
            let bob = DedupeMark(owner: .user(UserID(unchecked: "bob")), key: "k")
            let first = try await log.publish(Publication(room, "1", dedupe: alice))
            let again = try await log.publish(Publication(room, "1", dedupe: alice))
            let others = try await log.publish(Publication(room, "1", dedupe: bob))
            #expect(again == first && others.position.seq == 2)
        }
    }

    @Test func `an idempotency key belongs to the request that used it first`() async throws {
        try await RedisFixture().withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let first = try await log.claim(key: "k", digest: "d1", id: "one", beside: room)
            let second = try await log.claim(key: "k", digest: "d1", id: "two", beside: room)
            #expect(first == "one" && second == "one")
            await #expect(throws: BackendError.conflict) {
                try await log.claim(key: "k", digest: "d2", id: "three", beside: room)
            }
        }
    }

    @Test func `the log is bounded by count, and nothing is kept where its size is 0`() async throws {
        let rules = RoomRules(
            rules: [
                RoomRule(pattern: try #require(RoomPattern("quiet-*")), log: LogLimits(size: 0, age: .seconds(60)))
            ],
            defaultLog: LogLimits(size: 100, age: .seconds(60)))
        let fixture = try RedisFixture(rules: rules)
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            for index in 1...500 { _ = try await log.publish(Publication(room, "\(index)")) }
            let kept = try await log.history(of: room, range: HistoryRange(edge: .after(0), limit: 1000))
            #expect((100...250).contains(kept.messages.count))
            #expect(kept.messages.last?.seq == 500)

            let quiet = RoomName(unchecked: "quiet-1")
            for _ in 1...3 { _ = try await log.publish(Publication(quiet, "0")) }
            let page = try await log.history(of: quiet, range: HistoryRange(edge: .newest, limit: 10))
            #expect(page.head.seq == 3 && page.messages.isEmpty)
        }
    }

    @Test func `a full Redis refuses to store and still answers reads`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil], configure: { $1.memoryBudget = .off }) { backends in
            let log = backends[0].messageLog
            _ = try await log.publish(Publication(room, "1"))
            _ = try await fixture.redis.cli("CONFIG", "SET", "maxmemory", "1mb")
            let error = await #expect(throws: BackendError.self) {
                try await log.publish(Publication(room, "2"))
            }
            guard case .unavailable(let reason) = error else { return }
            #expect(reason.contains("OOM"))
            _ = try await fixture.redis.cli("CONFIG", "SET", "maxmemory", "0")
            let after = try await log.publish(Publication(room, "3"))
            #expect(after.position.seq == 2)
        }
    }

    @Test func `a lost log never lets a number stand for two messages`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let before = try await log.publish(Publication(room, "1"))
            // The head is lost and the log stays: numbers begin anew, under another name, without the old entries.
            for key in try await fixture.redis.cli("KEYS", "*:head").split(separator: "\n") {
                _ = try await fixture.redis.cli("DEL", String(key))
            }
            let after = try await log.publish(Publication(room, "2"))
            #expect(after.position.seq == 1)
            #expect(after.position.epoch != before.position.epoch)
            let page = try await log.history(of: room, range: HistoryRange(edge: .after(0), limit: 10))
            #expect(page.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["2"])
        }
    }

    @Test func `a position of a former epoch counts as far as that went, one of a forgotten epoch for nothing`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let before = try await log.publish(Publication(room, "1")).position
            _ = try await log.publish(Publication(room, "2"))
            // As of another run of Redis: the next message begins an epoch.
            _ = try await fixture.redis.cli("HSET", Keys(prefix: "m").state(Partition(of: room)).name, "run", "other")
            let after = try await log.publish(Publication(room, "3")).position
            #expect(after.epoch != before.epoch && after.seq == 3)
            func seqs(_ edge: HistoryRange.Edge, _ epoch: String?) async throws -> [Int] {
                let page = try await log.history(of: room, range: HistoryRange(edge: edge, epoch: epoch, limit: 10))
                #expect(page.head == after)
                return page.messages.map(\.seq)
            }
            for far in [3, 9, Int.max] {
                #expect(try await seqs(.after(far), before.epoch) == [3])
                #expect(try await seqs(.before(far), before.epoch) == [1, 2])
                #expect(try await seqs(.after(far), "nosuch") == [1, 2, 3])
                #expect(try await seqs(.before(far), "nosuch") == [])
            }
            #expect(try await seqs(.after(1), before.epoch) == [2, 3])
            #expect(try await seqs(.before(2), before.epoch) == [1])
            for epoch in [nil, after.epoch] {
                #expect(try await seqs(.after(3), epoch) == [])
                #expect(try await seqs(.before(Int.max), epoch) == [1, 2, 3])
            }
        }
    }
}
