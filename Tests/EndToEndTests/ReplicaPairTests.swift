import TestKit
import Testing

@Suite("A Redis, its replica, and the ways to them")
struct ReplicaPairTests {
    @Test func `a promoted replica lacks what came later, and only who is turned over sees it`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        _ = try await pair.primary.cli("SET", "k", "1")
        try await pair.caughtUp()
        #expect(try await pair.replica.cli("GET", "k") == "1")
        try await pair.promote()
        _ = try await pair.primary.cli("SET", "k", "2")
        try await pair.turn(1)
        #expect(try await Self.get("k", at: pair.urls[0]) == "2")
        #expect(try await Self.get("k", at: pair.urls[1]) == "1")
        try await pair.stop()
    }

    private static func get(_ key: String, at url: String) async throws -> String {
        let port = url.split(separator: ":").last.map(String.init) ?? ""
        return try await RedisServerProcess.cli(["-p", port, "GET", key])
    }
}
