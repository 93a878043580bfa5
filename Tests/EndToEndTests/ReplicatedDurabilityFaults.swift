import TestKit
import Testing
import TestSupport

/// `durability: replicated` with node processes, a Redis and its replica.
@Suite("Acknowledged only on a replica", .serialized)
struct ReplicatedDurabilityFaults {
    @Test func `the primary killed under load and its replica promoted: no acknowledged message is lost`() async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        let fleet = try await Fleet.over(
            pair.primary, environment: ["MARTLET_LOG_DURABILITY": "replicated"]
        ) { number, _ in pair.urls[number] }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(8)) {
            try await fleet.wait(.seconds(3))
            pair.primary.kill9()
            try await pair.promote()
            for node in 0..<2 { try await pair.turn(node) }
            // Until it has a replica again, nothing is acknowledged.
            try await pair.replicatePromoted()
        }
        // Members may have seen what was never acknowledged; that it is gone is told by a gap.
        try await storm.judge("primary killed, replicated", allowsGaps: true, staying: false)
        #expect(try await storm.lost() == [])
        try await pair.stop()
    }

    @Test
    func `with the replica stalled REST, batch and WebSocket hear that it is not confirmed, then get the first number`()
        async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 1)
        let node = try await NodeProcess.start(
            nodeId: "n", redisURL: pair.urls[0],
            environment: ["MARTLET_LOG_DURABILITY": "replicated", "MARTLET_REDIS_COMMAND_TIMEOUT": "2s"])
        try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        let alice = try await WireClient.connect(to: node, as: "alice")
        try await alice.join("r")
        let broadcast = #"{"to":{"rooms":["r"]},"payload":1,"idempotencyKey":"k"}"#
        let batch = #"{"broadcasts":[{"to":{"users":["alice"]},"payload":2,"idempotencyKey":"b"}]}"#
        let message = #""type":"message","roomId":"r","payload":3,"dedupe":"d""#
        let words = "no replica has confirmed it"

        pair.replica.pause()
        let one = try await node.request("POST", "/v1/broadcast", body: broadcast)
        #expect(one.status == 503 && one.body.contains(words))
        let many = try await node.request("POST", "/v1/broadcast/batch", body: batch)
        #expect(many.status == 200 && many.body.contains(words))
        let error = try await alice.ask(message)
        #expect(error.string("code") == "unavailable" && error.text.contains(words))
        // Its other requests are answered meanwhile, and a room's members see what is stored.
        #expect(try await alice.join("other").type == "joined")
        try await alice.frame("message") { $0.int("payload") == 1 }

        pair.replica.resume()
        try await pair.caughtUp()
        let again = try await node.request("POST", "/v1/broadcast", body: broadcast)
        #expect(again.status == 200 && again.body.contains(#""seq":1"#))
        let inbox = try await node.request("POST", "/v1/broadcast/batch", body: batch)
        #expect(inbox.status == 200 && inbox.body.contains(#""seq":1"#))
        let ack = try await alice.ask(message)
        #expect(ack.type == "ack" && ack.int("seq") == 2)
        let metrics = try await node.request("GET", "/metrics").body
        #expect(metrics.contains(#"martlet_messages_published_total{result="unconfirmed"} 3"#))
        try await pair.stop()
        withExtendedLifetime(node) {}
    }

    @Test func `a node whose Redis has no replica says so at its start`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(
            nodeId: "n", redisURL: redis.url, environment: ["MARTLET_LOG_DURABILITY": "replicated"])
        try await node.logged("Redis has no replica")
        withExtendedLifetime((redis, node)) {}
    }
}
