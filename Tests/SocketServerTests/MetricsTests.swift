import NIOCore
import NIOEmbedded
import Testing

@Suite
struct MetricsTests {
    @Test func `connections, refusals, closes, frames and deliveries are counted`() throws {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics) { $0.origins = ["https://app.example"] }
        let one = try embedded.enter("one")
        let two = try embedded.enter("two")
        for socket in [one, two] { try socket.send(#"{"type":"join","roomId":"r"}"#) }
        for _ in 1...3 { embedded.publish("r") }
        let foreign = try embedded.accept()
        let request = TestClient.request("/ws", headers: [("Origin", "https://evil.example")])
        try foreign.channel.writeInbound(ByteBuffer(string: request))
        embedded.advance(.seconds(1))
        #expect(metrics["martlet_sockets_accepted_total"] == 2)
        #expect(metrics["martlet_handshakes_refused_total{reason=origin}"] == 1)
        #expect(metrics["martlet_socket_frames_received_total"] == 2)
        #expect(metrics["martlet_messages_delivered_total"] == 6)
        #expect(metrics["martlet_connections"] == 2)
        for _ in 1...10 { try one.send("x") }
        try two.channel.close().wait()
        embedded.advance(.seconds(5))
        #expect(metrics["martlet_connections_closed_total{code=4400}"] == 1)
        #expect(metrics["martlet_connections_closed_total{code=client}"] == 1)
        #expect(metrics["martlet_connections"] == 0)
    }

    @Test func `a handshake that never ends is a timeout, one that cannot be read is malformed; each is counted once`()
        throws
    {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics)
        let slow = try embedded.accept()
        try slow.channel.writeInbound(ByteBuffer(string: "GET /ws HT"))
        let nonsense = try embedded.accept()
        // The parser's error is answered, and is no error of the test's.
        _ = try? nonsense.channel.writeInbound(ByteBuffer(string: "nonsense\r\n\r\n"))
        embedded.advance(.seconds(11))
        #expect(metrics["martlet_handshakes_refused_total{reason=timeout}"] == 1)
        #expect(metrics["martlet_handshakes_refused_total{reason=malformed}"] == 1)
        #expect(!slow.channel.isActive && !nonsense.channel.isActive)
    }
}
