import MartletClient
import TestKit
import Testing
import TestSupport

@Suite("The Swift client and who is there")
struct ClientPresenceTests {
    @Test func `members, watched users and signals work between two nodes`() async throws {
        let redis = try RedisServerProcess()
        async let first = NodeProcess.start(nodeId: "a", redisURL: redis.url)
        async let second = NodeProcess.start(nodeId: "b", redisURL: redis.url)
        let nodes = [try await first, try await second]
        let alice = try await Participant.connect(to: nodes[0].clientURL, as: "alice")
        #expect(try await alice.client.watch(["bob", "nobody"]).map(\.isOnline) == [false, false])
        let bob = try await Participant.connect(to: nodes[1].clientURL, as: "bob")
        try await alice.join("r")
        try await bob.join("r")
        try await eventually("bob's status") {
            alice.events.contains {
                if case .status(let status) = $0 { status.userId == "bob" && status.isOnline } else { false }
            }
        }
        try await eventually("bob's coming") {
            alice.presence(of: "r").last?.steps == [.join(userId: "bob", info: Array("{}".utf8))]
        }
        #expect(try await alice.readRoster(of: "r") == ["alice", "bob"])
        try await alice.client.signal(Array(#"{"sdp":1}"#.utf8), to: "bob", in: "r")
        try await eventually("the signal") {
            bob.events.contains {
                if case .signal(let signal) = $0 {
                    signal.from == "alice" && signal.payload == Array(#"{"sdp":1}"#.utf8)
                } else {
                    false
                }
            }
        }
        await bob.close()
        try await eventually("bob's going") { alice.presence(of: "r").last?.steps == [.leave(userId: "bob")] }
        #expect(alice.rosterFaults(of: "r", against: try await nodes[0].members(of: "r")) == [])
        await alice.close()
        withExtendedLifetime((redis, nodes)) {}
    }
}
