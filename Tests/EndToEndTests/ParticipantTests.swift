import TestKit
import Testing
import TestSupport

/// The clients that tests use.
@Suite struct ParticipantTests {
    @Test func `one that a test has done with goes, and comes to no node of another test`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(nodeId: "n", redisURL: redis.url)
        var participant: Participant? = try await Participant.connect(to: node.clientURL, as: "alice")
        #expect(participant?.connections.count == 1)
        participant = nil
        try await eventually("the end of its connection") {
            try await node.request("GET", "/v1/stats").json?["connections"] as? Int == 0
        }
    }
}
