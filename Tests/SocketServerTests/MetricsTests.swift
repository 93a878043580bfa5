import Dialects
import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
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

    @Test func `clients of apps are counted apart, and the lines of all count them too`() throws {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics) {
            var app = PusherApp(id: "1", key: "key", secrets: ["secret"])
            app.maxConnections = 2
            $0.apps = PusherApps([app])
            $0.rules.openToVisitors = [RoomPattern("*")].compactMap(\.self)
        }
        for dialect in ["native", "pusher"] {
            #expect(metrics.told("martlet_dialect_connections_closed_total{dialect=\(dialect),code=client}"))
        }
        for code in [1000, 4001, 4004, 4006, 4007, 4008, 4009, 4100, 4200, 4201] {
            #expect(metrics.told("martlet_dialect_connections_closed_total{dialect=pusher,code=\(code)}"))
        }
        let native = try embedded.enter("one")
        try native.send(#"{"type":"join","roomId":"r"}"#)
        let visitors = try (1...2).map { _ in try embedded.upgrade("/app/key?protocol=7") }
        for visitor in visitors {
            try visitor.send(#"{"event":"pusher:subscribe","data":{"channel":"r"}}"#)
            embedded.loop.run()
        }
        for _ in 1...3 { embedded.publish("r") }
        embedded.advance(.seconds(1))
        #expect(metrics["martlet_messages_delivered_total"] == 9)
        #expect(metrics["martlet_dialect_messages_delivered_total{dialect=native}"] == 3)
        #expect(metrics["martlet_dialect_messages_delivered_total{dialect=pusher}"] == 6)
        #expect(metrics["martlet_dialect_frames_received_total{dialect=native}"] == 1)
        #expect(metrics["martlet_dialect_frames_received_total{dialect=pusher}"] == 2)
        #expect(metrics["martlet_connections"] == 3)
        #expect(metrics["martlet_dialect_connections{dialect=native}"] == 1)
        #expect(metrics["martlet_dialect_connections{dialect=pusher}"] == 2)
        _ = try embedded.upgrade("/app/key?protocol=7")
        _ = try embedded.upgrade("/app/unknown?protocol=7")
        try visitors[0].channel.close().wait()
        try native.channel.close().wait()
        embedded.advance(.seconds(10))
        let closed = "martlet_dialect_connections_closed_total"
        #expect(metrics["\(closed){dialect=pusher,code=4004}"] == 1)
        #expect(metrics["\(closed){dialect=pusher,code=4001}"] == 1)
        #expect(metrics["\(closed){dialect=pusher,code=client}"] == 1)
        #expect(metrics["\(closed){dialect=native,code=client}"] == 1)
        #expect(metrics["martlet_dialect_connections{dialect=native}"] == 0)
        #expect(metrics["martlet_dialect_connections{dialect=pusher}"] == 1)
    }

    @Test func `clients of apps are never more than all, though each is counted by itself`() {
        let census = Census(maxConnections: 1, spare: 250, maxPerAddress: 1)
        // As a hub finds it that looks while one comes: the socket was counted when it had looked at these.
        census.visitorCame()
        #expect(census.connections == (0, 0))
    }

    @Test func `a message is timed by the hub that is told when it came, by Redis's clock and the node's`() throws {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics)
        let room = RoomName(unchecked: "r")
        let arrival = MessageArrival(time: embedded.now, redisAhead: 5000)
        embedded.advance(.milliseconds(30))
        let stored = embedded.now.nanoseconds / 1_000_000 + 5000 - 40
        func deliver(_ seq: Int, _ arrival: MessageArrival?) {
            let message = RoomMessage(
                room: room, userId: .system, msgType: 1, payload: [0x31], timestamp: stored,
                position: Position(epoch: "e1", seq: seq))
            embedded.backend.deliver([.messages(room: room, messages: [message], arrival: arrival)], to: 0)
            embedded.loop.run()
        }
        deliver(6, arrival)
        #expect(metrics["martlet_fanout_seconds"] == 0, "a message that nobody is sent is not counted")
        let one = try embedded.enter("one")
        try one.send(#"{"type":"join","roomId":"r"}"#)
        deliver(7, nil)
        #expect(metrics["martlet_fanout_seconds"] == 0, "another hub counts it")
        let passed = embedded.now - arrival.time
        deliver(8, arrival)
        #expect(metrics["martlet_fanout_seconds"] == Double(passed.nanoseconds))
        let age = arrival.age(of: stored, now: embedded.now)
        #expect(metrics["martlet_publish_to_deliver_seconds"] == Double(try #require(age).nanoseconds))
        // A clock that was read a little late says no less than nothing.
        #expect(arrival.age(of: stored + 1_000_000, now: embedded.now) == .zero)
        #expect(MessageArrival(time: embedded.now, redisAhead: nil).age(of: stored, now: embedded.now) == nil)
    }

    @Test func `the way to a welcome is timed from the accept on, and whether a session was resumed is counted`()
        throws
    {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics)
        let slow = try embedded.accept()
        embedded.advance(.milliseconds(40))
        try slow.channel.writeInbound(ByteBuffer(string: TestClient.request("/ws?userId=alice")))
        embedded.loop.run()
        #expect(metrics["martlet_connect_seconds"] == 40_000_000)
        #expect(metrics["martlet_resumes_total{result=resumed}"] == 0)
        try slow.channel.close().wait()
        _ = try embedded.upgrade("/ws?userId=alice&session=s1")
        #expect(metrics["martlet_resumes_total{result=resumed}"] == 1)
        #expect(metrics["martlet_resumes_total{result=unknown}"] == 0)
        _ = try embedded.upgrade("/ws?userId=bob&session=s9")
        #expect(metrics["martlet_resumes_total{result=unknown}"] == 1)
        _ = try embedded.upgrade("/ws?userId=bob&session=s1")
        #expect(metrics["martlet_resumes_total{result=other_user}"] == 1)
        #expect(metrics["martlet_resumes_total{result=resumed}"] == 1)
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
