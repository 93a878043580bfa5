import GatewayCore
import NIOCore
import Testing
import WebSocketFrames

/// What hostile and clumsy clients get, over real sockets, and that the next client notices nothing.
@Suite(.timeLimit(.minutes(1)))
struct BadInputTests {
    private static func frame(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(&buffer)
        return buffer
    }

    private static func text(_ bytes: [UInt8]) -> ByteBuffer { frame { FrameEncoder.text(bytes, mask: 3, into: &$0) } }

    /// Bytes and the code they are closed with, listed by their name alone.
    struct Frame: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: ByteBuffer
        let code: UInt16

        init(_ name: String, _ code: UInt16, _ bytes: ByteBuffer) {
            testDescription = name
            self.bytes = bytes
            self.code = code
        }

        init(_ name: String, _ code: UInt16, _ bytes: [UInt8]) {
            self.init(name, code, ByteBuffer(bytes: bytes))
        }
    }

    @Test(
        arguments: [
            Frame("2^63 bytes", 1002, [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
            Frame("2^40 bytes", 1009, [0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
            Frame("binary", 1003, frame { FrameEncoder.binary(ByteBuffer(string: "x"), mask: 1, into: &$0) }),
            Frame("not UTF-8", 1007, text([0x22, 0xFF, 0x22])), Frame("half a scalar", 1007, text([0xC3])),
            Frame("too large", 1009, text(Array(repeating: 0x20, count: 65_537))),
            Frame("no mask", 1002, frame { FrameEncoder.text("{}", into: &$0) }),
            Frame("reserved bit", 1002, [0xC1, 0x80, 1, 2, 3, 4]),
            Frame("reserved opcode", 1002, [0x83, 0x80, 1, 2, 3, 4]),
            Frame("a continuation of nothing", 1002, [0x80, 0x80, 1, 2, 3, 4]),
            Frame("a close of one byte", 1002, [0x88, 0x81, 0, 0, 0, 0, 3]),
        ])
    func `frames that break a rule close with the code that names it`(frame: Frame) async throws {
        try await TestServer.run { server in
            let bystander = try await server.enter("bystander")
            let client = try await server.enter()
            try await client.send(frame.bytes)
            #expect(await client.closeCode() == frame.code)
            #expect(try await bystander.ask(#"{"type":"ping"}"#) == #"{"type":"pong"}"#)
        }
    }

    @Test(
        arguments: [
            "not JSON", "[]", "{", #"{"type":7}"#, #"{"type":"dance","id":5}"#, #"{"type":"join","id":5}"#,
            #"{"type":"join","id":5,"roomId":"a b"}"#, #"{"type":"leave","id":5,"roomId":"@alice"}"#,
            #"{"type":"join","id":5,"roomId":"r","since":{"seq":-1}}"#, #"{"type":"watch","id":5,"users":[]}"#,
            #"{"type":"message","id":5,"roomId":"r"}"#, #"{"type":"resume","id":5}"#,
            #"{"type":"ping","x":"# + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
                + "}",
        ])
    func `requests that mean nothing are answered bad_request, and the connection stays`(frame: String) async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            let reply = try await client.ask(frame)
            #expect(reply.hasPrefix(#"{"type":"error""#))
            #expect(reply.contains(#""code":"bad_request""#))
            #expect(reply.contains(#""id":5"#) == frame.contains(#""id":5"#))
            #expect(try await client.ask(#"{"type":"ping","id":6}"#) == #"{"type":"pong","id":6}"#)
        }
    }

    @Test func `ten malformed frames in a row are the end`() async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            for _ in 1...10 { try await client.send("x") }
            for _ in 1...9 { #expect(try await client.text().contains("bad_request")) }
            #expect(await client.closeCode() == 4400)
        }
    }

    @Test func `a message to a room not joined is not_member`() async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            let reply = try await client.ask(#"{"type":"message","id":1,"roomId":"r","payload":1}"#)
            #expect(reply.contains(#""code":"not_member""#))
            #expect(server.backend.head(of: RoomName(unchecked: "r")) == 0)
        }
    }

    @Test func `a client above its rate is told so, and closed when it goes on`() async throws {
        try await TestServer.run {
            $0.limits.rate = RateLimit(perSecond: 1, burst: 5)
        } _: { server in
            let client = try await server.enter()
            let pings = Self.frame { buffer in
                for _ in 1...80 { FrameEncoder.text(#"{"type":"ping"}"#, mask: 5, into: &buffer) }
            }
            try await client.send(pings)
            for _ in 1...5 { #expect(try await client.text() == #"{"type":"pong"}"#) }
            _ = try await client.text(containing: #""code":"rate_limited""#)
            #expect(await client.closeCode() == 4429)
        }
    }

    @Test func `a flood of pings from a client that never reads ends it, and nobody else notices`() async throws {
        try await TestServer.run { server in
            let bystander = try await server.enter("bystander")
            let flooder = try await TestClient.connect(port: server.port, isReading: false)
            try await flooder.send(raw: TestClient.request("/ws?userId=flooder"))
            let pings = Self.frame { buffer in
                for _ in 1...200 {
                    FrameEncoder.ping(ByteBuffer(repeating: 0x78, count: 125), mask: 5, into: &buffer)
                }
            }
            // It ends with an error when the gateway has cut the connection.
            while (try? await flooder.send(pings)) != nil {}
            #expect(try await bystander.ask(#"{"type":"ping"}"#) == #"{"type":"pong"}"#)
        }
    }

    @Test
    func
        `for a member that does not read little is kept; the others get everything at once, and it when it reads again`()
        async throws
    {
        let memory = MemoryAccount(budget: .max)
        let limit = 1 << 18
        try await TestServer.run(memory: memory) {
            $0.maxQueuedBytes = limit
            $0.sendBufferBytes = 64 << 10
        } _: { server in
            let slow = try await server.enter("slow")
            _ = try await slow.ask(#"{"type":"join","roomId":"r"}"#)
            try await slow.channel.setOption(.autoRead, value: false).get()
            let reader = try await server.enter("reader")
            _ = try await reader.ask(#"{"type":"join","roomId":"r"}"#)
            let room = RoomName(unchecked: "r")
            let payload = Array(("\"" + String(repeating: "x", count: 50_000) + "\"").utf8)
            // More than the system keeps for a client that does not read.
            let count = 250
            for sent in 1...count {
                _ = try await server.backend.publish(Publication(room: room, userId: .system, payload: payload))
                // The reader's own heartbeat, where the machine is slow.
                if sent % 20 == 0 { try await reader.send(#"{"type":"ping"}"#) }
                #expect(try await reader.text(containing: #""type":"message""#).hasSuffix(#""seq":\#(sent)}"#))
                #expect(memory.held(.sockets) < 2 * limit)
            }
            #expect(server.server.status.connections == 2)
            try await slow.channel.setOption(.autoRead, value: true).get()
            for seq in 1...count {
                #expect(try await slow.text(containing: #""type":"message""#).hasSuffix(#""seq":\#(seq)}"#))
            }
        }
    }

    @Test func `a half-closed socket is let go`() async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            try await client.channel.close(mode: .output)
            while server.server.status.connections > 0 { await Task.yield() }
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ClosingTests {
    private func close(_ client: TestClient, _ code: UInt16?) async throws {
        var frame = ByteBuffer()
        FrameEncoder.close(code: code, mask: 2, into: &frame)
        try await client.send(frame)
    }

    @Test(arguments: [1000, 1001, 3000, 4999])
    func `a client's close is answered with its own code, then the socket ends`(code: UInt16) async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            try await close(client, code)
            #expect(await client.closeCode() == code)
            await client.ends()
        }
    }

    @Test func `a close without a code is answered without one`() async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            try await close(client, nil)
            let closing = try #require(await client.closing())
            #expect(closing.code == nil)
        }
    }

    @Test func `what was asked before the close is answered before the close`() async throws {
        try await TestServer.run { server in
            let client = try await server.enter()
            try await client.send(#"{"type":"ping","id":1}"#)
            try await close(client, 1000)
            #expect(try await client.text() == #"{"type":"pong","id":1}"#)
            #expect(await client.closeCode() == 1000)
        }
    }

    @Test func `a shutdown tells clients to reconnect, answers handshakes 503, and closes with 1001 who stays`()
        async throws
    {
        try await TestServer.run {
            $0.drainTimeout = .seconds(60)
        } _: { server in
            let leaving = try await server.enter("leaving")
            let also = try await server.enter("also")
            await server.services.triggerGracefulShutdown()
            #expect(try await leaving.text().hasPrefix(#"{"type":"reconnect","afterMs":"#))
            #expect(try await also.text().hasPrefix(#"{"type":"reconnect","afterMs":"#))
            #expect(server.server.status.isDraining)
            let late = try await TestClient.connect(port: server.port)
            let answer = try await late.upgrade("/ws?userId=late")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.contains("\r\nRetry-After: "))
            try await close(leaving, 1000)
            #expect(await leaving.closeCode() == 1000)
            // The last one to leave ends the wait.
            try await close(also, 1000)
        }
    }

    @Test func `a shutdown does not wait for ever for clients that stay`() async throws {
        try await TestServer.run {
            $0.drainTimeout = .milliseconds(1)
            $0.closeTimeout = .milliseconds(100)
        } _: { server in
            let staying = try await server.enter()
            await server.services.triggerGracefulShutdown()
            #expect(await staying.closeCode() == 1001)
            await staying.ends()
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct EchoTests {
    @Test func `where it is switched on, text and binary come back, large ones too, and pings are answered`()
        async throws
    {
        try await TestServer.run {
            $0.isEchoing = true
        } _: { server in
            let client = try await server.connect("/echo")
            try await client.send("hello")
            #expect(await client.event() == .text(ByteBuffer(string: "hello")))
            let large = ByteBuffer(repeating: 0xA5, count: 4 << 20)
            var frames = ByteBuffer()
            FrameEncoder.binary(large, mask: 1, into: &frames)
            FrameEncoder.ping(ByteBuffer(string: "p"), mask: 1, into: &frames)
            FrameEncoder.close(code: 1000, mask: 1, into: &frames)
            try await client.send(frames)
            #expect(await client.event() == .binary(large))
            #expect(await client.event() == .pong(ByteBuffer(string: "p")))
            #expect(await client.closeCode() == 1000)
        }
    }

    @Test func `where tokens are asked for, an echo is for strangers, and no longer than their messages`() async throws
    {
        try await TestServer.run {
            $0.isEchoing = true
            $0.authentication = .jwt(TableVerifier([:]))
        } _: { server in
            let client = try await server.connect("/echo")
            let longest = ByteBuffer(repeating: 0xA5, count: 16 << 10)
            var frames = ByteBuffer()
            FrameEncoder.binary(longest, mask: 1, into: &frames)
            FrameEncoder.binary(ByteBuffer(repeating: 0xA5, count: (16 << 10) + 1), mask: 1, into: &frames)
            try await client.send(frames)
            #expect(await client.event() == .binary(longest))
            #expect(await client.closeCode() == 1009)
        }
    }
}
