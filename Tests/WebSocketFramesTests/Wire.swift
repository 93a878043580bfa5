import NIOCore
import WebSocketFrames

/// Frames written byte by byte, without the encoder under test and without its scruples.
struct Wire {
    var bytes: [UInt8] = []

    /// Appends a frame; `mask` nil leaves it unmasked.
    func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reserved: UInt8 = 0,
        mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    ) -> Wire {
        var wire = self
        wire.bytes.append((isFinal ? 0x80 : 0) | reserved << 4 | opcode)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ...125:
            wire.bytes.append(maskBit | UInt8(payload.count))
        case ...65535:
            wire.bytes.append(maskBit | 126)
            wire.bytes += withUnsafeBytes(of: UInt16(payload.count).bigEndian, Array.init)
        default:
            wire.bytes.append(maskBit | 127)
            wire.bytes += withUnsafeBytes(of: UInt64(payload.count).bigEndian, Array.init)
        }
        if let mask {
            wire.bytes += mask
            wire.bytes += payload.enumerated().map { $1 ^ mask[$0 % 4] }
        } else {
            wire.bytes += payload
        }
        return wire
    }

    func text(_ string: String, isFinal: Bool = true) -> Wire { frame(0x1, Array(string.utf8), isFinal: isFinal) }

    func close(_ code: UInt16, _ reason: [UInt8] = []) -> Wire {
        frame(0x8, withUnsafeBytes(of: code.bigEndian, Array.init) + reason)
    }
}

/// What a decoder made of bytes that came in pieces of at most `chunk` bytes.
func events(
    of bytes: some Collection<UInt8>, chunk: Int = .max, role: FrameDecoder.Role = .server, limit: Int = 1 << 20,
    takesCompressed: Bool = false
) -> [FrameDecoder.Event] {
    var decoder = FrameDecoder(role: role, maxMessageBytes: limit, takesCompressed: takesCompressed)
    var events: [FrameDecoder.Event] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        events += decoder.drain(rest.prefix(chunk))
        rest = rest.dropFirst(chunk)
    }
    return events
}

func events(
    of wire: Wire, chunk: Int = .max, limit: Int = 1 << 20, takesCompressed: Bool = false
) -> [FrameDecoder.Event] {
    events(of: wire.bytes, chunk: chunk, limit: limit, takesCompressed: takesCompressed)
}

extension FrameDecoder {
    /// Feeds `bytes` and takes out all events.
    mutating func drain(_ bytes: some Sequence<UInt8>) -> [Event] {
        var buffer = ByteBuffer(bytes: bytes)
        var events: [Event] = []
        while let event = next(from: &buffer) {
            events.append(event)
        }
        precondition(buffer.readableBytes == 0, "the decoder left bytes behind")
        return events
    }
}

extension FrameDecoder.Event {
    static func text(_ string: String) -> Self { .text(ByteBuffer(string: string)) }
    static func binary(_ bytes: [UInt8]) -> Self { .binary(ByteBuffer(bytes: bytes)) }
    static func ping(_ bytes: [UInt8]) -> Self { .ping(ByteBuffer(bytes: bytes)) }
    static func pong(_ bytes: [UInt8]) -> Self { .pong(ByteBuffer(bytes: bytes)) }
}
