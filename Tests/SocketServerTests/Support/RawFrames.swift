import NIOCore

/// Frames of a client written byte by byte, without the encoder's scruples.
struct RawFrames: Sendable {
    private(set) var bytes = ByteBuffer()

    func frame(_ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reserved: UInt8 = 0) -> RawFrames {
        var frames = self
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        frames.bytes.writeInteger((isFinal ? 0x80 : 0) | reserved << 4 | opcode)
        switch payload.count {
        case ...125: frames.bytes.writeInteger(0x80 | UInt8(payload.count))
        case ...65535: frames.bytes.writeMultipleIntegers(0x80 | 126 as UInt8, UInt16(payload.count))
        default: frames.bytes.writeMultipleIntegers(0x80 | 127 as UInt8, UInt64(payload.count))
        }
        frames.bytes.writeBytes(mask)
        // Word by word where there are many: a test of 16 MiB takes long enough.
        let words = payload.count & ~3
        let key = mask.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        payload.withUnsafeBytes { payload in
            for offset in stride(from: 0, to: words, by: 4) {
                let word = payload.loadUnaligned(fromByteOffset: offset, as: UInt32.self) ^ key
                frames.bytes.writeInteger(word, endianness: .host)
            }
        }
        for offset in words..<payload.count { frames.bytes.writeInteger(payload[offset] ^ mask[offset & 3]) }
        return frames
    }

    func text(_ string: String, isFinal: Bool = true) -> RawFrames {
        frame(0x1, Array(string.utf8), isFinal: isFinal)
    }

    func continuation(_ string: String, isFinal: Bool = true) -> RawFrames {
        frame(0x0, Array(string.utf8), isFinal: isFinal)
    }

    func ping(_ payload: [UInt8] = []) -> RawFrames { frame(0x9, payload) }

    func close(_ code: UInt16, _ reason: [UInt8] = []) -> RawFrames {
        frame(0x8, [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)] + reason)
    }

    /// A message in fragments of `size` bytes.
    func fragmented(_ opcode: UInt8, _ payload: [UInt8], size: Int) -> RawFrames {
        stride(from: 0, to: max(1, payload.count), by: size).reduce(self) { frames, start in
            let end = min(start + size, payload.count)
            return frames.frame(
                start == 0 ? opcode : 0x0, Array(payload[start..<end]), isFinal: end == payload.count)
        }
    }
}
