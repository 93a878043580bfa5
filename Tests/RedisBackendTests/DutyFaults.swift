import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Nodes whose user of Redis lacks a right that only whoever coordinates needs.
@Suite("A node that may not coordinate", .serialized)
struct DutyFaults {
    @Test(arguments: ["smembers", "get"])
    func `says so, leaves its partitions to others, and has them again once it may`(command: String) async throws {
        let fixture = try RedisFixture()
        let redis = fixture.redis
        _ = try await redis.cli("ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all")
        try await fixture.withBackends(
            ["unix://\(redis.socketPath)?user=node&password=pw", nil],
            configure: { _, configuration in
                configuration.presence.lease = .milliseconds(1500)
                configuration.presence.dutyPatience = .seconds(1)
            }
        ) { backends in
            let keys = Keys(prefix: "m")
            @Sendable func coordinators() async throws -> Set<String> {
                var found: Set<String> = []
                for partition in Partition.all {
                    let token = try await redis.cli("GET", keys.coordinator(partition).name)
                    found.insert(String(token.prefix { $0 != ":" }))
                }
                return found
            }
            try await eventually("a share for each") { try await coordinators() == ["node-0", "node-1"] }
            _ = try await redis.cli("ACL", "SETUSER", "node", "-\(command)")
            try await eventually("its word in the index") {
                try await backends[1].directory.nodes().first { $0.nodeId == "node-0" }?.reason?
                    .hasPrefix("Redis refuses what the node has to do") == true
            }
            try await eventually("another for all") { try await coordinators() == ["node-1"] }
            // It serves its clients all the same.
            #expect(backends.allSatisfy { $0.problem == nil })
            _ = try await redis.cli("ACL", "SETUSER", "node", "+\(command)")
            try await eventually("a share for each again") { try await coordinators() == ["node-0", "node-1"] }
        }
    }
}
