import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames
import TestSupport

@Suite(.enabled(if: Microbenchmark.rounds != nil), .serialized)
struct HubMicrobenchmarks {
    private static let members = 500

    /// The hub's work for one delivery: messages of one turn to all members of a room, up to the channel.
    private func fanOut(
        _ name: String, payloadBytes: Int, messages count: Int, compressing: Int = 0, test: String = #function
    ) throws {
        let hub = EmbeddedHub()
        let sockets = try (0..<Self.members).map { number in
            let socket = try hub.accept()
            let offer = number < compressing ? [("Sec-WebSocket-Extensions", "permessage-deflate")] : []
            try socket.send(ByteBuffer(string: TestClient.request("/ws?userId=u\(number)", headers: offer)))
            try socket.send(#"{"type":"join","roomId":"r"}"#)
            return socket
        }
        let tidy = { for socket in sockets { _ = socket.takeBytes() } }
        tidy()
        let room = RoomName(unchecked: "r")
        let payload = Array(("\"" + String(repeating: "lorem ipsum ", count: payloadBytes / 12) + "\"").utf8)
        let messages = (1...count).map { seq in
            RoomMessage(
                room: room, userId: .system, msgType: 1, payload: payload, timestamp: 1_700_000_000_000,
                position: Position(epoch: "e1", seq: seq))
        }
        try Microbenchmark.measure(name, operations: Self.members * count, test: test) {
            hub.backend.deliver([.messages(room: room, messages: messages)], to: 0)
            hub.loop.run()
            return Self.members * count
        } tidy: {
            tidy()
        }
    }

    @Test func fanOutOne() throws {
        try fanOut("deliver 128 bytes, one message a turn", payloadBytes: 128, messages: 1)
    }

    @Test func fanOutSixteen() throws {
        try fanOut("deliver 128 bytes, 16 messages a turn", payloadBytes: 128, messages: 16)
    }

    @Test func fanOutLarge() throws {
        try fanOut("deliver 1 KiB, one message a turn", payloadBytes: 1024, messages: 1)
    }

    @Test func fanOutCompressed() throws {
        try fanOut(
            "deliver 1 KiB, one message a turn, half of the members compressing", payloadBytes: 1024, messages: 1,
            compressing: 250)
    }
}
