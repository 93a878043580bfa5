import MartletClient
import NIOCore
import NIOPosix
import Testing
import WebSocketFrames

/// The low-level socket against a listener on loopback.
@Suite struct WebSocketConnectionTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func configuration(_ gateway: FakeGateway) -> WebSocketConfiguration {
        WebSocketConfiguration(host: "127.0.0.1", port: gateway.port, path: "/ws?userId=u")
    }

    @Test func `the handshake says what it must, and text goes both ways`() async throws {
        let gateway = try await FakeGateway.start()
        var configuration = configuration(gateway)
        configuration.headers = [(name: "Origin", value: "https://example.org")]
        configuration.subprotocols = ["martlet.v1"]
        let socket = try await WebSocketConnection.connect(configuration, on: group)
        let peer = try await gateway.accept()
        let handshake = try await peer.handshake()
        #expect(handshake.hasPrefix("GET /ws?userId=u HTTP/1.1\r\n"))
        for line in [
            "Host: 127.0.0.1:\(gateway.port)", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: martlet.v1", "Origin: https://example.org",
        ] {
            #expect(handshake.contains("\r\n\(line)\r\n"))
        }
        socket.send(text: "hé")
        #expect(try await peer.frame() == .text(ByteBuffer(string: "hé")))
        socket.send(binary: [1, 2])
        #expect(try await peer.frame() == .binary(ByteBuffer(bytes: [1, 2])))
        socket.send(raw: [0x89, 0x80, 0, 0, 0, 0])
        #expect(try await peer.frame() == .ping(ByteBuffer()))
        peer.message("1", seq: 1)
        guard case .text = await socket.next() else { throw Ended() }
        socket.drop()
        await gateway.stop()
    }

    @Test func `frames that come in one packet with the handshake's answer are taken and answered`() async throws {
        let ping: [UInt8] = [0x89, 0x02, 0x61, 0x62]
        let gateway = try await FakeGateway.start(trailer: ping + [0x01, 0x02, 0x68, 0x69])
        let socket = try await WebSocketConnection.connect(configuration(gateway), on: group)
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        #expect(try await peer.frame() == .pong(ByteBuffer(string: "ab")))
        peer.send(raw: [0x80, 0x01, UInt8(ascii: "!")])
        guard case .ping = await socket.next(), case .text(let text) = await socket.next() else { throw Ended() }
        #expect(String(buffer: text) == "hi!")
        socket.drop()
        await gateway.stop()
    }

    @Test func `a ping is answered with its own bytes`() async throws {
        let gateway = try await FakeGateway.start()
        let socket = try await WebSocketConnection.connect(configuration(gateway), on: group)
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.ping("are you there")
        #expect(try await peer.frame() == .pong(ByteBuffer(string: "are you there")))
        socket.drop()
        await gateway.stop()
    }

    @Test func `both sides can say goodbye`() async throws {
        let gateway = try await FakeGateway.start()
        let leaving = try await WebSocketConnection.connect(configuration(gateway), on: group)
        var peer = try await gateway.accept()
        _ = try await peer.handshake()
        leaving.close(code: 1000, reason: "bye")
        #expect(try await peer.frame() == .close(code: 1000, reason: "bye"))
        #expect(await leaving.ended() == WebSocketEnd(code: 1000, reason: ""))

        let sent = try await WebSocketConnection.connect(configuration(gateway), on: group)
        peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.close(4403, "forbidden")
        #expect(await sent.ended() == WebSocketEnd(code: 4403, reason: "forbidden"))
        #expect(try await peer.frame() == .close(code: 4403, reason: ""))
        guard case .ended = await sent.next() else { throw Ended() }
        #expect(await sent.next() == nil)
        await gateway.stop()
    }

    @Test func `a peer that breaks the protocol is told so`() async throws {
        let gateway = try await FakeGateway.start()
        let socket = try await WebSocketConnection.connect(configuration(gateway), on: group)
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.send(raw: [0xFF, 0x00])
        #expect(await socket.ended().code == 1002)
        guard case .close(1002, _) = try await peer.frame() else { throw Ended() }
        await gateway.stop()
    }

    @Test func `a connection that is cut or reset has no code`() async throws {
        let gateway = try await FakeGateway.start()
        let cut = try await WebSocketConnection.connect(configuration(gateway), on: group)
        var peer = try await gateway.accept()
        peer.drop()
        #expect(await cut.ended().code == nil)
        let reset = try await WebSocketConnection.connect(configuration(gateway), on: group)
        peer = try await gateway.accept()
        _ = try await peer.handshake()
        reset.abort()
        #expect(await reset.ended().code == nil)
        guard case .ended = await peer.events.next() else { throw Ended() }
        await gateway.stop()
    }

    @Test(arguments: [
        (
            "HTTP/1.1 503 Away\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            WebSocketConnectError.refused(status: 503, retryAfter: 7)
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", .refused(status: 403, retryAfter: nil)),
        (
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            .badHandshake("the answer is to another key")
        ),
        (
            "HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: %ACCEPT%\r\n\r\n",
            .badHandshake("the answer is no upgrade to WebSocket")
        ),
        (
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %ACCEPT%\r\n"
                + "Sec-WebSocket-Protocol: other\r\n\r\n",
            .badHandshake("the answer names what was not asked for")
        ),
    ])
    func `an answer that is no handshake is refused`(response: String, error: WebSocketConnectError) async throws {
        let gateway = try await FakeGateway.start(response: response)
        await #expect(throws: error) { try await WebSocketConnection.connect(configuration(gateway), on: group) }
        await gateway.stop()
    }

    @Test func `nobody there, and nobody who answers, are errors`() async throws {
        let gateway = try await FakeGateway.start(response: "")
        var configuration = configuration(gateway)
        configuration.connectTimeout = .milliseconds(50)
        await #expect(throws: WebSocketConnectError.timedOut) {
            try await WebSocketConnection.connect(configuration, on: group)
        }
        await gateway.stop()
        // A free port may be another test's by now; this one is nobody's.
        configuration.port = 1
        configuration.connectTimeout = .seconds(10)
        let error = await #expect(throws: WebSocketConnectError.self) {
            try await WebSocketConnection.connect(configuration, on: group)
        }
        guard case .unreachable = error else { throw Ended() }
    }

    @Test func `a silent peer is asked and then left`() async throws {
        let gateway = try await FakeGateway.start()
        let socket = try await WebSocketConnection.connect(configuration(gateway), on: group)
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        socket.watchSilence(heartbeat: .milliseconds(5))
        #expect(try await peer.frame() == .ping(ByteBuffer()))
        #expect(await socket.ended() == WebSocketEnd(code: nil, reason: "the gateway fell silent"))
        await gateway.stop()
    }

    @Test func `a consumer who does not read loses nothing`() async throws {
        let gateway = try await FakeGateway.start()
        var configuration = configuration(gateway)
        configuration.eventLimit = 4
        let socket = try await WebSocketConnection.connect(configuration, on: group)
        let peer = try await gateway.accept()
        let payload = "\"" + String(repeating: "x", count: 10_000) + "\""
        for seq in 1...1000 { peer.message(payload, seq: seq) }
        peer.close(1000)
        var count = 0
        while case .text = await socket.next() { count += 1 }
        #expect(count == 1000)
        await gateway.stop()
    }
}
