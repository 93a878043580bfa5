import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames

/// Sessions that agreed on compression, beside others that did not.
@Suite(.timeLimit(.minutes(1)))
struct CompressionTests {
    private static let large = "\"" + String(repeating: "lorem ipsum ", count: 100) + "\""
    private static let small = #""small""#

    /// An embedded connection in room `r` that takes compressed frames, or does not.
    private func member(of hub: EmbeddedHub, _ user: String, isCompressing: Bool) throws -> EmbeddedSocket {
        let socket = try hub.accept()
        let offer = isCompressing ? [("Sec-WebSocket-Extensions", "permessage-deflate")] : []
        try socket.send(ByteBuffer(string: TestClient.request("/ws?userId=\(user)", headers: offer)))
        let head = try #require(socket.takeHead())
        #expect(head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate;") == isCompressing)
        if isCompressing { socket.takeCompressed() }
        try socket.send(#"{"type":"join","roomId":"r"}"#)
        #expect(try socket.take().last?.contains(#""type":"joined""#) == true)
        return socket
    }

    private func messages(_ payloads: [String]) -> [StreamDelivery] {
        let messages = payloads.enumerated().map { index, payload in
            RoomMessage(
                room: RoomName(unchecked: "r"), userId: .system, msgType: 1, payload: Array(payload.utf8),
                timestamp: 1000, position: Position(epoch: "e1", seq: index + 1))
        }
        return [.messages(room: RoomName(unchecked: "r"), messages: messages)]
    }

    /// RSV1 of each frame that has come, and what all of them say.
    private func taken(_ socket: EmbeddedSocket) throws -> (marks: [Bool], texts: [String]) {
        var bytes = socket.takeBytes()
        var decoder = FrameDecoder(role: .client, maxMessageBytes: 1 << 20, takesCompressed: true)
        var marks: [Bool] = []
        var texts: [String] = []
        while bytes.readableBytes > 0 {
            marks.append(try #require(bytes.getInteger(at: bytes.readerIndex, as: UInt8.self)) & 0x40 != 0)
            guard case .text(let text) = decoder.next(from: &bytes) else {
                Issue.record("no text where one was due")
                break
            }
            texts.append(String(buffer: text))
        }
        return (marks, texts)
    }

    @Test(
        arguments: [
            ([small], [false]), ([large], [true]), ([small, large], [false, true]), ([large, small], [true, false]),
            ([small, large, small, large], [false, true, false, true]),
        ] as [([String], [Bool])])
    func `messages of one turn reach everybody alike, compressed where that is worth it and agreed on`(
        payloads: [String], marks: [Bool]
    ) throws {
        let hub = EmbeddedHub()
        let plain = try member(of: hub, "alice", isCompressing: false)
        let compressing = try member(of: hub, "bob", isCompressing: true)
        _ = try plain.take()
        _ = try compressing.take()
        hub.backend.deliver(messages(payloads), to: 0)
        hub.loop.run()
        let one = try taken(plain)
        let other = try taken(compressing)
        #expect(one.texts.count == payloads.count)
        #expect(one.texts == other.texts)
        #expect(one.marks == payloads.map { _ in false })
        #expect(other.marks == marks)
    }

    @Test func `where the last one that takes compressed frames has left, nothing is compressed`() throws {
        let hub = EmbeddedHub()
        let plain = try member(of: hub, "alice", isCompressing: false)
        let compressing = try member(of: hub, "bob", isCompressing: true)
        try compressing.send(#"{"type":"leave","roomId":"r"}"#)
        _ = try plain.take()
        _ = try compressing.take()
        hub.backend.deliver(messages([Self.large]), to: 0)
        hub.loop.run()
        #expect(try taken(plain).marks == [false])
        #expect(try taken(compressing).marks.isEmpty)
    }

    @Test func `a client's compressed message is read, and its copy comes back compressed`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            client.takeCompressed()
            let offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
            #expect(try await client.upgrade("/ws?userId=a", headers: offer).contains("permessage-deflate"))
            _ = try await client.text(containing: #""type":"welcome""#)
            _ = try await client.ask(#"{"type":"join","roomId":"r"}"#)
            let compressor = try #require(FrameCompressor())
            var frame = ByteBuffer()
            compressor.text(
                Array(#"{"type":"message","roomId":"r","payload":\#(Self.large)}"#.utf8), mask: 5, into: &frame)
            #expect(frame.readableBytes < 200)
            try await client.send(frame)
            #expect(try await client.text(containing: #""type":"message""#).contains(Self.large))
        }
    }

    @Test func `what was missed and what is read from the log come compressed too`() async throws {
        try await TestServer.run { server in
            let plain = try await server.enter("alice")
            _ = try await plain.ask(#"{"type":"join","roomId":"r"}"#)
            for _ in 0..<3 {
                try await plain.send(#"{"type":"message","id":1,"roomId":"r","payload":\#(Self.large)}"#)
                _ = try await plain.text(containing: #""type":"ack""#)
            }
            let client = try await TestClient.connect(port: server.port)
            client.takeCompressed()
            try await client.upgrade("/ws?userId=b", headers: [("Sec-WebSocket-Extensions", "permessage-deflate")])
            _ = try await client.text(containing: #""type":"welcome""#)
            try await client.send(#"{"type":"join","roomId":"r","since":{"seq":0}}"#)
            for seq in 1...3 {
                let text = try await client.text(containing: #""type":"message""#)
                #expect(text.contains(#""seq":\#(seq)}"#))
            }
            try await client.send(#"{"type":"history","id":2,"roomId":"r","after":0}"#)
            #expect(try await client.text(containing: #""type":"history""#).utf8.count > 3 * Self.large.utf8.count)
        }
    }

    @Test func `a bomb in a session is refused by 1009`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            client.takeCompressed()
            try await client.upgrade("/ws?userId=a", headers: [("Sec-WebSocket-Extensions", "permessage-deflate")])
            let compressor = try #require(FrameCompressor())
            var frame = ByteBuffer()
            compressor.text([UInt8](repeating: 0x20, count: 65_537), mask: 5, into: &frame)
            try await client.send(frame)
            #expect(await client.closeCode() == 1009)
        }
    }

    @Test func `a smaller window than a room's frames are made for is not agreed on`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            let offer = [("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=14")]
            #expect(try await !client.upgrade("/ws?userId=a", headers: offer).contains("permessage-deflate"))
        }
    }
}
