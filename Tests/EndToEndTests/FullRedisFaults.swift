import TestKit
import Testing
import TestSupport

@Suite("A Redis without room, seen from outside", .serialized)
struct FullRedisFaults {
    @Test
    func
        `clients and REST are refused, users come and go, readiness says so and stays, and all goes on with room again`()
        async throws
    {
        var options = RedisServerProcess.Options()
        options.maxMemory = "64mb"
        let cluster = try await Cluster.start(options)
        let node = cluster.nodes[0]
        let alice = try await WireClient.connect(to: node, as: "alice")
        alice.send(#"{"id":1,"type":"join","roomId":"r"}"#)
        try await alice.frame("joined")
        alice.send(#"{"id":2,"type":"message","roomId":"r","payload":1}"#)
        try await alice.frame("ack")

        _ = try await cluster.redis.cli("SETRANGE", "filler", "\(52 << 20)", "x")
        for node in cluster.nodes {
            try await eventually("a text that says so") {
                let answer = try await node.request("GET", "/readyz")
                return answer.status == 200 && answer.body.contains("messages are refused")
            }
        }
        alice.send(#"{"id":3,"type":"message","roomId":"r","payload":2}"#)
        #expect(try await alice.frame("error").text.contains("unavailable"))
        let body = #"{"to":{"rooms":["r"]},"payload":3}"#
        #expect(try await cluster.nodes[1].request("POST", "/v1/broadcast", body: body).status == 503)
        #expect(
            try await node.request("GET", "/metrics").body
                .contains(#"martlet_messages_published_total{result="full"} 1"#))
        let bob = try await WireClient.connect(to: cluster.nodes[1], as: "bob")
        bob.send(#"{"id":1,"type":"join","roomId":"r"}"#)
        try await bob.frame("joined")
        try await alice.frame("presence") { $0.text.contains("bob") }

        // Where nothing at all is left nobody joins a room anew, and whoever comes is let in.
        _ = try await cluster.redis.cli("CONFIG", "SET", "maxmemory", "16mb")
        let carol = try await WireClient.connect(to: node, as: "carol")
        carol.send(#"{"id":1,"type":"join","roomId":"r"}"#)
        #expect(try await carol.frame("error").text.contains("unavailable"))
        #expect(carol.isOpen)
        _ = try await cluster.redis.cli("CONFIG", "SET", "maxmemory", "64mb")

        _ = try await cluster.redis.cli("DEL", "filler")
        try await eventually("room") {
            try await cluster.nodes[1].request("POST", "/v1/broadcast", body: body).status == 200
        }
        try await bob.frame("message") { $0.text.contains(#""seq":2"#) }
        withExtendedLifetime(cluster) {}
    }
}
