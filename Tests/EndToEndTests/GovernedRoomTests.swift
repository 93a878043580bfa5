import TestKit
import Testing
import TestSupport

@Suite("Governed rooms of two nodes")
struct GovernedRoomTests {
    @Test func `settings given through one node bind and reach the clients of both`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        try await alice.join("lesson")

        let put = try await b.request(
            "PUT", "/v1/rooms/lesson", body: #"{"version":0,"title":"Maths","locked":true,"slowMode":60}"#)
        let version = try #require(put.json?["version"] as? Int)
        let told = try await alice.frame("room") { $0.int("version") == version }
        #expect(told.string("event") == "updated" && told.text.contains(#""title":"Maths""#))
        let locked = try await bob.join("lesson")
        #expect(locked.string("code") == "forbidden" && locked.string("message") == "the room is locked")

        let opened = try await a.request("PATCH", "/v1/rooms/lesson", body: #"{"locked":null}"#)
        #expect(opened.json?["version"] as? Int == version + 1)
        let joined = try await bob.join("lesson")
        #expect(joined.int("version") == version + 1 && joined.text.contains(#""settings":{"title":"Maths","#))
        let first = try await bob.ask(#""type":"message","roomId":"lesson","payload":1"#)
        #expect(first.type == "ack")
        let slow = try await bob.ask(#""type":"message","roomId":"lesson","payload":2"#)
        #expect(slow.string("code") == "rate_limited" && (slow.int("retryAfterMs") ?? 0) > 50_000)
        // A backend is bound by nothing.
        let broadcast = try await a.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["lesson"]},"payload":3}"#)
        #expect(broadcast.status == 200)

        let stale = try await a.request("DELETE", "/v1/rooms/lesson", headers: [("If-Match", "\(version)")])
        #expect(stale.status == 412)
        let closed = try await a.request("DELETE", "/v1/rooms/lesson", headers: [("If-Match", "\(version + 1)")])
        #expect(closed.json?["version"] as? Int == version + 2)
        for client in [alice, bob] {
            try await client.frame("room") { $0.string("event") == "closed" && $0.int("version") == version + 2 }
        }
        try await eventually("nobody is in the room") {
            try await b.request("GET", "/v1/rooms/lesson").json?["members"] as? Int == 0
        }
        #expect(try await b.request("GET", "/v1/rooms/lesson").json?["version"] as? Int == 0)
        withExtendedLifetime(cluster) {}
    }
}
