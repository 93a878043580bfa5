import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames

@Suite(.timeLimit(.minutes(1)))
struct HandshakeTests {
    private static let good = TestClient.request("/ws?userId=alice")

    /// A request and the status it gets, listed by its name alone.
    struct Request: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let status: Int

        init(_ name: String, _ status: Int, _ text: String) {
            testDescription = name
            self.text = text
            self.status = status
        }

        init(_ name: String, _ status: Int, lines: String...) {
            self.init(name, status, lines.joined(separator: "\r\n") + "\r\n\r\n")
        }

        /// The good handshake with something else in one place.
        init(_ status: Int, with change: String, for part: String) {
            self.init("\(change) for \(part)", status, HandshakeTests.good.replacing(part, with: change))
        }
    }

    private static let long = String(repeating: "x", count: 25_000)

    @Test(
        arguments: [
            Request("health", 200, lines: "GET /healthz HTTP/1.1", "Host: x"),
            Request("posted health", 405, lines: "POST /healthz HTTP/1.1", "Host: x"),
            Request("script", 200, lines: "GET /martlet.js HTTP/1.1", "Host: x"),
            Request("echo that is off", 404, lines: "GET /echo HTTP/1.1", "Host: x"),
            Request("root", 404, lines: "GET / HTTP/1.1", "Host: x"),
            Request("health of an old client", 200, lines: "GET /healthz HTTP/1.0"),
            Request("health in absolute form", 200, lines: "GET http://x/healthz HTTP/1.1", "Host: x"),
            Request(
                "health with the query right behind the host", 404, lines: "GET http://x?/healthz HTTP/1.1", "Host: x"),
            Request("absolute form of another scheme", 400, lines: "GET ftp://x/healthz HTTP/1.1", "Host: x"),
            Request("absolute form with a user", 400, lines: "GET http://a@x/healthz HTTP/1.1", "Host: x"),
            Request("absolute form without a host", 400, lines: "GET http:///healthz HTTP/1.1", "Host: x"),
            Request("health without a host", 400, lines: "GET /healthz HTTP/1.1", "X: x"),
            Request("an unknown path without a host", 400, lines: "GET /none HTTP/1.1", "X: x"),
            Request("health with two hosts", 400, lines: "GET /healthz HTTP/1.1", "Host: x", "Host: x"),
            Request("old client with two hosts", 400, lines: "GET /healthz HTTP/1.0", "Host: x", "Host: x"),
            Request("host that is none", 400, lines: "GET /healthz HTTP/1.1", "Host: a b"),
            Request("host with a path", 400, lines: "GET /healthz HTTP/1.1", "Host: x/y"),
            Request("host with a port that is none", 400, lines: "GET /healthz HTTP/1.1", "Host: x:y"),
            Request("empty host", 200, lines: "GET /healthz HTTP/1.1", "Host: "),
            Request("space around the host", 200, lines: "GET /healthz HTTP/1.1", "Host: \t x \t"),
            Request("folded header", 400, lines: "GET /healthz HTTP/1.1", "Host: x", "X: a", " b"),
            Request("folded host", 400, lines: "GET /healthz HTTP/1.1", "Host: x", "\ty"),
            Request(400, with: "13\r\nSec-WebSocket-Version: 13", for: "13"),
            Request(
                400, with: "Host: localhost\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", for: "Host: localhost"),
            Request("no upgrade", 426, lines: "GET /ws HTTP/1.1", "Host: x"),
            Request("body", 400, lines: "GET /ws HTTP/1.1", "Host: x", "Content-Length: 1"),
            Request("chunks", 400, lines: "GET /ws HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"),
            Request(405, with: "POST", for: "GET"), Request(400, with: "HTTP/1.0", for: "HTTP/1.1"),
            Request(400, with: "", for: "Host: localhost\r\n"), Request(426, with: "Version: 8", for: "Version: 13"),
            Request(426, with: "Version: 13, 8", for: "Version: 13"),
            Request(400, with: "short", for: "dGhlIHNhbXBsZSBub25jZQ=="),
            Request(426, with: "Upgrade: h2c", for: "Upgrade: websocket"),
            Request(426, with: "Connection: close", for: "Connection: Upgrade"),
            Request(
                "other subprotocols", 400,
                TestClient.request("/ws", headers: [("Sec-WebSocket-Protocol", "mqtt, graphql-ws")])),
            Request("long header", 431, TestClient.request("/ws", headers: [("X", long)])),
            Request(
                "many headers", 431,
                TestClient.request("/ws", headers: (0..<250).map { ("X-\($0)", String(repeating: "y", count: 100)) })),
            Request("long target", 431, TestClient.request("/ws?" + long)),
            Request("nonsense", 400, "nonsense\r\n\r\n"), Request("HTTP/2", 400, "GET /ws HTTP/2.0\r\n\r\n"),
            Request("TLS", 400, "\u{16}\u{3}\u{1}\r\n\r\n"),
        ])
    func `requests that are no handshake get the fitting status`(request: Request) async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: request.text)
            let answer = await client.rest()
            #expect(answer.hasPrefix("HTTP/1.1 \(request.status) "))
            #expect(answer.contains("\r\nContent-Length: "))
            #expect(answer.contains("\r\nConnection: close\r\n"))
        }
    }

    @Test(
        arguments: [
            ("Version: 13", "Version: 13 "), ("Version: 13", "Version:13\t"), ("Version: 13", "Version: \t13 \t "),
            ("25jZQ==", "25jZQ== \t"), ("Upgrade: websocket", "Upgrade: websocket "),
            ("Connection: Upgrade", "Connection: Upgrade\t"), ("app.example", "app.example "),
        ])
    func `white space around a header's value is none of it`(plain: String, spaced: String) throws {
        let embedded = EmbeddedHub { $0.origins = ["https://app.example"] }
        let request = TestClient.request("/ws?userId=a", headers: [("Origin", "https://app.example")])
            .replacing(plain, with: spaced)
        let socket = try embedded.accept()
        try socket.send(ByteBuffer(string: request))
        #expect(socket.takeHead()?.hasPrefix("HTTP/1.1 101 ") == true)
    }

    @Test(arguments: ["/healthz", "/martlet.js", "/martlet.d.ts", "/martlet.min.js", "/ws", "/none"])
    func `HEAD is answered as GET is, without the body`(path: String) async throws {
        try await TestServer.run { server in
            var answers: [String] = []
            for method in ["GET", "HEAD"] {
                let client = try await TestClient.connect(port: server.port)
                try await client.send(raw: "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                answers.append(try await client.head())
                let isEmpty = await client.rest().isEmpty
                #expect(isEmpty == (method == "HEAD"))
            }
            #expect(answers[0] == answers[1])
        }
    }

    @Test func `a wrong version is told the right one`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: Self.good.replacing("Version: 13", with: "Version: 12"))
            #expect(await client.rest().contains("\r\nSec-WebSocket-Version: 13\r\n"))
        }
    }

    @Test func `the handshake is answered as RFC 6455 has it, whatever the case and order of its words`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            let request =
                Self.good
                .replacing("Connection: Upgrade", with: "connection: keep-alive, upgrade")
                .replacing("websocket", with: "WebSocket")
            try await client.send(raw: request)
            let answer = try await client.head()
            #expect(answer.hasPrefix("HTTP/1.1 101 "))
            #expect(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
            #expect(!answer.lowercased().contains("sec-websocket-protocol"))
            #expect(try await client.text().contains(#""type":"welcome""#))
        }
    }

    @Test func `the subprotocol is confirmed where it was offered among others`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            let offers = [("Sec-WebSocket-Protocol", "mqtt, martlet.v1")]
            let answer = try await client.upgrade("/ws?userId=a", headers: offers)
            #expect(answer.contains("\r\nSec-WebSocket-Protocol: martlet.v1\r\n"))
            let other = try await TestClient.connect(port: server.port)
            try await other.send(raw: TestClient.request("/ws", headers: [("Sec-WebSocket-Protocol", "mqtt")]))
            #expect(await other.rest().contains("martlet.v1"))
        }
    }

    @Test func `frames that come together with the handshake are not lost`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            var bytes = ByteBuffer(string: Self.good)
            FrameEncoder.text(#"{"type":"join","id":1,"roomId":"r"}"#, mask: 9, into: &bytes)
            FrameEncoder.text(#"{"type":"ping","id":2}"#, mask: 9, into: &bytes)
            try await client.send(bytes)
            #expect(try await client.head().hasPrefix("HTTP/1.1 101 "))
            #expect(try await client.text().contains(#""type":"welcome""#))
            let replies = try await [client.text(), client.text()]
            #expect(replies.contains(#"{"type":"pong","id":2}"#))
            #expect(replies.contains { $0.hasPrefix(#"{"type":"joined","id":1,"roomId":"r","epoch":"e1","seq":0,"#) })
        }
    }

    @Test func `a handshake in single bytes is a handshake`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            for byte in Self.good.utf8 { try await client.send(ByteBuffer(bytes: [byte])) }
            #expect(try await client.head().hasPrefix("HTTP/1.1 101 "))
        }
    }

    @Test func `only the origins of the list are let in; who names none is no browser`() async throws {
        try await TestServer.run {
            $0.origins = ["https://app.example"]
        } _: { server in
            for (origin, status) in [
                ("https://app.example", "101"), ("https://app.example.evil", "403"), ("http://app.example", "403"),
                ("null", "403"), (nil, "101"),
            ] {
                let client = try await TestClient.connect(port: server.port)
                let answer = try await client.upgrade("/ws?userId=a", headers: origin.map { [("Origin", $0)] } ?? [])
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            }
        }
    }

    @Test func `a full node answers 503 with Retry-After, and takes the next when one has left`() async throws {
        try await TestServer.run {
            $0.maxConnections = 1
        } _: { server in
            let first = try await server.enter()
            let second = try await TestClient.connect(port: server.port)
            let refusal = try await second.upgrade("/ws?userId=b")
            #expect(refusal.hasPrefix("HTTP/1.1 503 "))
            #expect(refusal.contains("\r\nRetry-After: "))
            try await first.channel.close()
            while server.server.status.connections > 0 { await Task.yield() }
            _ = try await server.enter()
        }
    }

    @Test func `half a handshake and a slow header are cut in time, and nobody else notices`() async throws {
        try await TestServer.run {
            $0.handshakeTimeout = .milliseconds(700)
        } _: { server in
            // A busy machine may not get through a whole handshake in this time at the first try.
            var good = try? await server.enter()
            while good == nil { good = try? await server.enter() }
            let half = try await TestClient.connect(port: server.port)
            // Cut before it was sent is cut in time.
            try? await half.send(raw: "GET /ws?userId=a HTTP/1.1\r\nHost: x\r\nX-Sl")
            let silent = try await TestClient.connect(port: server.port)
            #expect(await half.rest() == "")
            #expect(await silent.rest() == "")
            #expect(try await good?.ask(#"{"type":"ping"}"#) == #"{"type":"pong"}"#)
        }
    }

    @Test(
        arguments: [
            ("/ws", "userId is missing"), ("/ws?userId=%ff", "userId: not UTF-8"),
            ("/ws?userId=%zz", "userId: bad percent escape"),
            ("/ws?userId=", "userId: \(UserID.rule)"), ("/ws?userId=a%00", "userId: \(UserID.rule)"),
            ("/ws?userId=system", "userId: \(UserID.rule)"), ("/ws?userId=%E2%80%8Ba", "userId: \(UserID.rule)"),
        ])
    func `a user's name that cannot be right is told by 4401 after the handshake`(target: String, reason: String)
        async throws
    {
        try await TestServer.run { server in
            let client = try await server.connect(target)
            let closing = try #require(await client.closing())
            #expect(closing.code == 4401)
            #expect(closing.reason == reason)
        }
    }
}
