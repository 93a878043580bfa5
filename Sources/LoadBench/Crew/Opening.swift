import NIOCore
import WebSocketFrames

/// The texts that a connection begins with.
enum Opening {
    /// The key of RFC 6455's own example (section 1.3): what it proves is not this tool's matter, and the floor
    /// server answers no other.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accept = Handshake.acceptKey(for: key)

    static func request(path: String, target: LoopbackTarget, subprotocol: String?) -> ByteBuffer {
        let named = subprotocol.map { "Sec-WebSocket-Protocol: \($0)\r\n" } ?? ""
        return ByteBuffer(
            string: """
                GET \(path) HTTP/1.1\r\nHost: \(target)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\(named)\r\n
                """)
    }

    /// Why this is not the answer that opens a WebSocket; nil when it is.
    static func refusal(status: Int, response: UnsafeRawBufferPointer) -> String? {
        guard status == 101 else { return "HTTP \(status)" }
        return String(decoding: response, as: UTF8.self).contains(accept) ? nil : "a wrong Sec-WebSocket-Accept"
    }

    static func resume(room: String, epoch: String, seq: UInt64) -> String {
        #"{"type":"resume","id":1,"since":{"\#(room)":{"epoch":"\#(epoch)","seq":\#(seq)}}}"#
    }

    static func leave(room: String) -> String { #"{"type":"leave","id":2,"roomId":"\#(room)"}"# }

    static func members(room: String) -> String { #"{"type":"members","id":3,"roomId":"\#(room)","limit":1}"# }

    static func subscribe(channel: String) -> String {
        #"{"event":"pusher:subscribe","data":{"channel":"\#(channel)","auth":""}}"#
    }

    static func join(room: String) -> String { #"{"type":"join","id":1,"roomId":"\#(room)"}"# }
}

extension CrewPlan {
    /// What a connection begins with: a member of a room's, or of a user who is in none.
    func opening(user: String, room: Int = 0, at target: LoopbackTarget, session: String? = nil) -> ByteBuffer {
        switch style {
        case .gateway:
            let who = tokens.map { "token=\($0.token(for: user))" } ?? "userId=\(user)"
            return Opening.request(
                path: "/ws?\(who)\(session.map { "&session=\($0)" } ?? "")", target: target, subprotocol: "martlet.v1")
        case .floor:
            return Opening.request(
                path: "/ws?room=\(Decimal.text(room, digits: RoomLayout.digits))", target: target, subprotocol: nil)
        case .nchan:
            return Opening.request(path: "/sub?id=\(layout.name(of: room))", target: target, subprotocol: nil)
        }
    }
}

extension CrewPlan {
    /// The same of a member that speaks Pusher's protocol, which names an app and nobody.
    func appOpening(at target: LoopbackTarget) -> ByteBuffer {
        Opening.request(path: "/app/\(appKey)?protocol=7&client=bench", target: target, subprotocol: nil)
    }
}

/// Masked text frames, as a client sends them.
enum ClientFrame {
    static func text(_ text: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        FrameEncoder.text(text, mask: .random(in: 0 ... .max), into: &buffer)
        return buffer
    }

    static func text(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        FrameEncoder.text(bytes, mask: .random(in: 0 ... .max), into: &buffer)
        return buffer
    }
}
