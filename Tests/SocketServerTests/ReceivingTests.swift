import NIOCore
import Testing
import WebSocketFrames

/// All sockets of a loop read into one buffer, one after the other.
@Suite(.timeLimit(.minutes(1)))
struct ReceivingTests {
    @Test func `requests of many clients that come in pieces, mixed, are each read as they were sent`() async throws {
        try await TestServer.run { server in
            var clients: [TestClient] = []
            for index in 0..<6 { clients.append(try await server.enter("u\(index)")) }
            var requests = clients.indices.map { index in
                var frames = ByteBuffer()
                for number in 1...8 {
                    let id = "\(index).\(number)." + String(repeating: "\(index)", count: 7 * number)
                    FrameEncoder.text(
                        #"{"type":"ping","id":"\#(id)"}"#, mask: UInt32(index * 77 + number), into: &frames)
                }
                return frames
            }
            // Odd pieces, so that headers, keys and payloads are cut anywhere.
            var length = 1
            while requests.contains(where: { $0.readableBytes > 0 }) {
                for index in clients.indices {
                    let count = min(length % 23 + 1, requests[index].readableBytes)
                    guard let piece = requests[index].readSlice(length: count), count > 0 else { continue }
                    try await clients[index].send(piece)
                    length += 5
                }
            }
            for (index, client) in clients.enumerated() {
                for number in 1...8 {
                    let id = "\(index).\(number)." + String(repeating: "\(index)", count: 7 * number)
                    #expect(try await client.text() == #"{"type":"pong","id":"\#(id)"}"#)
                }
            }
        }
    }

    @Test func `a message of many reads is taken whole, beside others that come meanwhile`() async throws {
        try await TestServer.run {
            $0.maxMessageBytes = 1 << 20
        } _: { server in
            let large = try await server.enter("large")
            let small = try await server.enter("small")
            for client in [large, small] {
                try await client.send(#"{"type":"join","roomId":"r"}"#)
                _ = try await client.text(containing: #""type":"joined""#)
            }
            let payload = String(repeating: "0123456789", count: 60_000)
            var frame = ByteBuffer()
            FrameEncoder.text(
                #"{"type":"message","roomId":"r","payload":"\#(payload)"}"#, mask: 0x1234_5678, into: &frame)
            while let piece = frame.readSlice(length: min(50_000, max(1, frame.readableBytes))) {
                try await large.send(piece)
                // The last piece's message may overtake a pong.
                if frame.readableBytes == 0 { break }
                try await small.send(#"{"type":"ping"}"#)
                _ = try await small.text(containing: #""type":"pong""#)
            }
            #expect(try await small.text(containing: #""type":"message""#).contains("\"\(payload)\""))
        }
    }

    @Test func `a handshake in single bytes leads to a session, whatever buffers its bytes came in`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            for byte in TestClient.request("/ws?userId=alice").utf8 { try await client.send(ByteBuffer(bytes: [byte])) }
            #expect(try await client.head().hasPrefix("HTTP/1.1 101 "))
            _ = try await client.text(containing: #""type":"welcome""#)
            #expect(try await client.ask(#"{"type":"ping","id":1}"#) == #"{"type":"pong","id":1}"#)
        }
    }
}
