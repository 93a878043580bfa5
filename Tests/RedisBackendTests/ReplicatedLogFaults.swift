import GatewayCore
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("The log where a replica must have what is acknowledged", .serialized)
struct ReplicatedLogFaults {
    private let gold = RoomName(unchecked: "gold-1")
    private let log = Keys(prefix: "m").log(RoomName(unchecked: "gold-1")).name

    private func rules() throws -> RoomRules {
        var rule = RoomRule(
            pattern: try #require(RoomPattern("gold-*")), log: LogLimits(size: 1000, age: .seconds(3600)))
        rule.durability = .replicated
        return RoomRules(rules: [rule])
    }

    @Test func `a publish fails as unconfirmed while the replica stands still, and other rooms are not held up`()
        async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 1)
        let fixture = try RedisFixture(rules: try rules())
        try await fixture.withBackends([pair.urls[0]], commandTimeout: .seconds(5)) { backends in
            let messages = backends[0].messageLog
            let mark = DedupeMark(owner: .user(UserID(unchecked: "alice")), key: "k")
            #expect(try await messages.publish(Publication(gold, "1")).position.seq == 1)
            #expect(try await pair.replica.cli("XLEN", log) == "1")

            pair.replica.pause()
            let outcome = Mutex<Result<Published, BackendError>?>(nil)
            messages.publish(Publication(gold, "2", dedupe: mark)) { result in outcome.withLock { $0 = result } }
            try await eventually("the message in the primary") { try await pair.primary.cli("XLEN", log) == "2" }
            for number in 1...20 { _ = try await messages.publish(Publication(room, "\(number)")) }
            #expect(outcome.withLock { $0 } == nil)
            try await eventually("the end of the wait") { outcome.withLock { $0 } != nil }
            #expect(outcome.withLock { $0 } == .failure(.unconfirmed))

            // What is found under its key is not enough: it must be on the replica too.
            await #expect(throws: BackendError.unconfirmed) {
                try await messages.publish(Publication(gold, "2", dedupe: mark))
            }
            pair.replica.resume()
            try await pair.caughtUp()
            #expect(try await messages.publish(Publication(gold, "2", dedupe: mark)).position.seq == 2)
            #expect(try await pair.primary.cli("XLEN", log) == "2")
            #expect(try await pair.replica.cli("XLEN", log) == "2")
        }
        try await pair.stop()
    }

    @Test func `a repeat under the same key writes, so that a WAIT that looks at writes alone covers it`() async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 1)
        let fixture = try RedisFixture(rules: try rules())
        try await fixture.withBackends([pair.urls[0]]) { backends in
            let mark = DedupeMark(owner: .api, key: "k")
            let key = Keys(prefix: "m").dedupe(gold, mark).name
            let first = try await backends[0].messageLog.publish(Publication(gold, "1", dedupe: mark))
            _ = try await pair.primary.cli("PEXPIRE", key, "5000")
            let writes = try await fixture.calls(of: "set", on: pair.primary)
            #expect(try await backends[0].messageLog.publish(Publication(gold, "1", dedupe: mark)) == first)
            #expect(try await fixture.calls(of: "set", on: pair.primary) == writes + 1)
            // It does not live longer by that.
            #expect(try #require(Int(try await pair.primary.cli("PTTL", key))) <= 5000)
        }
        try await pair.stop()
    }
}
