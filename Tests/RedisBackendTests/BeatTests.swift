import RedisBackend
import RedisClient
import TestKit
import Testing

/// What a beat is answered, by a real Redis.
struct BeatTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let own = Beat.Node("n1", instance: "own", lease: .seconds(3))

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func beat(_ mode: Beat.Mode) async throws -> Beat.Answer {
        try await observer.store.call(Beat(mode, of: own, description: "1 0 0 0 v", declaringUntil: 0))
    }

    /// Puts another instance's entry in the place of the node's.
    private func leave(leaseEnd: Int64) async throws {
        _ = try await redis.cli("HSET", observer.keys.index.name, "n1", "other 7 \(leaseEnd) 1 0 0 0 v")
    }

    @Test func `a name is taken only while the lease of whoever has it runs`() async throws {
        guard case .registered(let first) = try await beat(.register(after: 0)) else {
            Issue.record("not registered")
            return
        }
        try await leave(leaseEnd: 9_999_999_999_999)
        #expect(try await beat(.renew(incarnation: first)) == .taken)
        #expect(try await beat(.register(after: first)) == .taken)
        try await leave(leaseEnd: 1000)
        #expect(try await beat(.renew(incarnation: first)) == .lost)
        guard case .registered(let second) = try await beat(.register(after: first)) else {
            Issue.record("not registered again")
            return
        }
        #expect(second > first)
    }
}
