import TestKit
import TestSupport
import Testing

@Suite("Why a session was not gone on with")
struct ResumeReasonTests {
    @Test func `each reason that the gateway can tell is counted by itself`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "resumes", redisURL: nil, environment: ["MARTLET_SESSION_TTL": "1s"])
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        func counts(_ result: String, _ count: Int) async throws {
            let line = #"martlet_resumes_total{result="\#(result)"} \#(count)"#
            try await eventually(line) { try await node.request("GET", "/metrics").body.contains(line) }
        }
        func session(of client: WireClient) async throws -> String {
            try #require(try await client.frame("welcome").string("session"))
        }
        let alice = try await WireClient.connect(to: node, as: "alice")
        let first = try await session(of: alice)
        _ = try await WireClient.connect(to: node, as: "alice", query: "&session=\(first)")
        try await counts("resumed", 1)
        _ = try await WireClient.connect(to: node, as: "bob", query: "&session=\(first)")
        try await counts("other_user", 1)
        _ = try await WireClient.connect(to: node, as: "bob", query: "&session=\(first)x")
        try await counts("forged", 1)
        #expect(try await node.request("POST", "/v1/users/alice/disconnect", body: "{}").status == 200)
        _ = try await WireClient.connect(to: node, as: "alice", query: "&session=\(first)")
        try await counts("ended", 1)
        let metrics = try await node.request("GET", "/metrics").body
        #expect(metrics.contains(#"martlet_resumes_total{result="unknown"} 0"#))
        #expect(metrics.contains("\nmartlet_room_epochs_total 0"))
        withExtendedLifetime(alice) {}
    }
}
