import NIOCore

/// The bytes that publish a message, by each way.
enum PublishRequest {
    static func http(path: String, api: LoopbackTarget, key: String?, body: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer(
            string: """
                POST \(path) HTTP/1.1\r\nHost: \(api)\r\n\(key.map { "Authorization: Bearer \($0)\r\n" } ?? "")\
                Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n
                """)
        buffer.writeBytes(body)
        return buffer
    }

    enum Recipient {
        case room(String)
        case everyone
    }

    static func broadcast(to recipient: Recipient, payload: [UInt8]) -> [UInt8] {
        let to =
            switch recipient {
            case .room(let name): #"{"rooms":["\#(name)"]}"#
            case .everyone: #"{"everyone":true}"#
            }
        return Array(#"{"to":\#(to),"payload":"#.utf8) + payload + [UInt8(ascii: "}")]
    }

    static func message(room: String, payload: [UInt8]) -> [UInt8] {
        Array(#"{"type":"message","roomId":"\#(room)","payload":"#.utf8) + payload + [UInt8(ascii: "}")]
    }

    /// What the floor server takes: the room's number, then the frame as a gateway would tell it.
    static func floor(number: Int, room: String, payload: [UInt8], seq: UInt64) -> [UInt8] {
        var bytes = Array(Decimal.text(number, digits: RoomLayout.digits).utf8)
        bytes += #"{"type":"message","roomId":"\#(room)","userId":"system","msgType":1,"payload":"#.utf8
        bytes += payload
        bytes += #","timestamp":1700000000000,"seq":\#(seq)}"#.utf8
        return bytes
    }

    /// Why an answer of the api port is a refusal, a code; nil when all was taken.
    static func refusal(status: Int, response: UnsafeRawBufferPointer) -> String? {
        let text = String(decoding: response, as: UTF8.self)
        let hasError = text.contains(#""error":"#)
        // Nchan says 201 where there are subscribers, 202 where there are none.
        guard !(200...202).contains(status) || hasError else { return nil }
        guard let start = text.range(of: #""code":""#)?.upperBound else { return "HTTP \(status)" }
        return String(text[start...].prefix { $0 != "\"" })
    }
}

extension String {
    /// Where a text first stands in this one.
    fileprivate func range(of text: String) -> Range<String.Index>? { ranges(of: text).first }
}
