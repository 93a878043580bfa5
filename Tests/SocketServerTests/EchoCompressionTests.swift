import NIOCore
import SocketServer
import Testing
import WebSocketFrames

/// Groups 12 and 13 of the Autobahn test suite, and the handshake before them, against `/echo` over a real socket.
@Suite(.timeLimit(.minutes(2)))
struct EchoCompressionTests {
    private static let agreed =
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    /// What the suite offers in 12.x and 13.1 to 13.7.
    private static let offers = [
        ("permessage-deflate; client_no_context_takeover; client_max_window_bits", ""),
        ("permessage-deflate", ""),
        ("permessage-deflate; server_no_context_takeover", ""),
        ("permessage-deflate; server_max_window_bits=9; client_max_window_bits", "; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate",
            "; server_max_window_bits=9"
        ),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate; server_no_context_takeover", ""),
    ]

    /// A client of `/echo` whose offer was answered by what `agreed` and this tail say.
    private func withClient(
        offer: String, tail: String = "", _ body: (TestClient) async throws -> Void
    ) async throws {
        try await TestServer.run {
            $0.isEchoing = true
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            client.takeCompressed()
            let answer = try await client.upgrade("/echo", headers: [("Sec-WebSocket-Extensions", offer)])
            #expect(answer.contains(Self.agreed + tail + "\r\n"))
            try await body(client)
        }
    }

    /// JSON-like text of this size, which compresses well.
    private func text(_ count: Int, _ number: Int) -> [UInt8] {
        let line = #"{"id":\#(number),"name":"κόσμε \#(number * 7919)","tags":["a","b"],"score":\#(number % 13)},"#
        let bytes = Array(line.utf8)
        // Cut between two scalars: the rest is filled up with ASCII.
        let whole = (0..<(count / bytes.count)).flatMap { _ in bytes }
        return whole + [UInt8](repeating: 0x2A, count: count - whole.count)
    }

    /// Of a frame without a mask.
    private func headerBytes(of frame: ByteBuffer) -> Int? {
        frame.getInteger(at: frame.readerIndex + 1, as: UInt8.self).map { $0 < 126 ? 2 : $0 == 126 ? 4 : 10 }
    }

    @Test(arguments: offers)
    func `12.x and 13.x: messages of every size come back, whatever was agreed on`(
        offer: String, tail: String
    ) async throws {
        let compressor = try #require(FrameCompressor(minimumBytes: 1))
        try await withClient(offer: offer, tail: tail) { client in
            for (number, count) in [0, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131_072].enumerated() {
                let text = text(count, number)
                var frame = ByteBuffer()
                compressor.text(text, mask: 0x1234_5678, into: &frame)
                try await client.send(frame)
                let event = await client.event()
                #expect(event == .text(ByteBuffer(bytes: text)))
            }
        }
    }

    @Test(arguments: [(8192, 256), (65536, 256), (131_072, 1024), (131_072, 32768)])
    func `12.x.11 to 12.x.18: compressed messages in fragments come back`(count: Int, size: Int) async throws {
        let compressor = try #require(FrameCompressor())
        let text = text(count, 5)
        var frame = ByteBuffer()
        // Without a mask, whose place is taken by that of each fragment.
        compressor.text(text, into: &frame)
        frame.moveReaderIndex(forwardBy: try #require(headerBytes(of: frame)))
        let payload = Array(buffer: frame)
        try await withClient(offer: "permessage-deflate") { client in
            var sent = RawFrames().frame(0x1, Array(payload.prefix(size)), isFinal: payload.count <= size, reserved: 4)
            for start in stride(from: size, to: payload.count, by: size) {
                let end = min(start + size, payload.count)
                sent = sent.frame(0x0, Array(payload[start..<end]), isFinal: end == payload.count)
            }
            try await client.send(sent.bytes)
            #expect(await client.event() == .text(ByteBuffer(bytes: text)))
        }
    }

    @Test func `what is sent back is compressed in no more than the window that was agreed on`() async throws {
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<1024).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try await withClient(
            offer: "permessage-deflate; server_max_window_bits=9", tail: "; server_max_window_bits=9"
        ) { client in
            let payload = [UInt8](repeating: 0x61, count: 600) + noise + noise
            try await client.send(RawFrames().frame(0x2, payload).bytes)
            // The second noise is farther away than the window: it takes its whole size again.
            while client.buffer.readableBytes < 4, await client.fill() {}
            let header = client.buffer
            #expect(header.getInteger(at: header.readerIndex, as: UInt8.self) == 0xC2)
            #expect(try #require(header.getInteger(at: header.readerIndex + 2, as: UInt16.self)) > 2048)
            let event = await client.event()
            #expect(event == .binary(ByteBuffer(bytes: payload)))
        }
    }

    @Test func `a bomb is refused by 1009 and what is not deflate by 1007`() async throws {
        let compressor = try #require(FrameCompressor())
        var bomb = ByteBuffer()
        compressor.text([UInt8](repeating: 0x61, count: (16 << 20) + 1), mask: 5, into: &bomb)
        #expect(bomb.readableBytes < 100_000)
        let garbage = RawFrames().frame(0x1, [0xFF, 0xFF], reserved: 4).bytes
        let marked = RawFrames().frame(0x9, reserved: 4).bytes
        for (sent, code) in [(bomb, 1009), (garbage, 1007), (marked, 1002)] as [(ByteBuffer, UInt16)] {
            try await withClient(offer: "permessage-deflate") { client in
                try await client.send(sent)
                #expect(await client.closeCode() == code)
                await client.ends()
            }
        }
    }

    @Test(
        arguments: [
            nil, "permessage-deflate; server_max_window_bits=8", "permessage-deflate; unknown",
            "x-webkit-deflate-frame",
        ])
    func `an offer that cannot be met is left unanswered, and RSV1 stays forbidden`(offer: String?) async throws {
        try await TestServer.run {
            $0.isEchoing = true
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            let headers = offer.map { [("Sec-WebSocket-Extensions", $0)] } ?? []
            let answer = try await client.upgrade("/echo", headers: headers)
            #expect(answer.hasPrefix("HTTP/1.1 101 "))
            #expect(!answer.contains("Extensions"))
            try await client.send(RawFrames().frame(0x1, [0x00], reserved: 4).bytes)
            #expect(await client.closeCode() == 1002)
        }
    }

    @Test func `a header that breaks the grammar fails the handshake`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            let offer = [("Sec-WebSocket-Extensions", "permessage-deflate;")]
            try await client.send(raw: TestClient.request("/ws?userId=a", headers: offer))
            #expect(await client.rest().hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func `where compression is off every offer is left unanswered`() async throws {
        try await TestServer.run {
            $0.isEchoing = true
            $0.isCompressing = false
        } _: { server in
            for (target, offer) in [("/echo", "permessage-deflate"), ("/ws?userId=a", ";")] {
                let client = try await TestClient.connect(port: server.port)
                let answer = try await client.upgrade(target, headers: [("Sec-WebSocket-Extensions", offer)])
                #expect(answer.hasPrefix("HTTP/1.1 101 "))
                #expect(!answer.contains("Extensions"))
            }
        }
    }
}
