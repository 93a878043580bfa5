/// The parts of the opening handshake that are arithmetic (RFC 6455, section 4).
package enum Handshake {
    private static let suffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private static let padding = UInt8(ascii: "=")

    /// The value of `Sec-WebSocket-Accept` that answers this `Sec-WebSocket-Key` (section 4.2.2).
    package static func acceptKey(for key: String) -> String {
        var key = key
        return key.withUTF8 { key in
            withUnsafeTemporaryAllocation(
                byteCount: key.count + suffix.utf8CodeUnitCount + SHA1.digestBytes, alignment: 1
            ) { memory in
                let end = memory.count - SHA1.digestBytes
                memory.copyMemory(from: UnsafeRawBufferPointer(key))
                UnsafeMutableRawBufferPointer(rebasing: memory[key.count..<end]).copyMemory(
                    from: UnsafeRawBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
                let digest = UnsafeMutableRawBufferPointer(rebasing: memory[end...])
                SHA1.digest(UnsafeRawBufferPointer(rebasing: memory[..<end]), into: digest)
                return base64(UnsafeRawBufferPointer(digest))
            }
        }
    }

    /// Whether a `Sec-WebSocket-Key`, without white space around it, is the base64 form of 16 bytes (section 4.2.1).
    ///
    /// The four bits of the last digit that belong to no byte may be anything, as most decoders have it.
    package static func isValidKey(_ key: String) -> Bool {
        var key = key
        return key.withUTF8 { bytes in
            bytes.count == 24 && bytes[22] == padding && bytes[23] == padding && bytes[..<22].allSatisfy(isDigit)
        }
    }

    /// A client's `Sec-WebSocket-Key` made of 16 random bytes, fresh for each connection (section 4.1).
    package static func makeKey(from random: (UInt64, UInt64)) -> String {
        withUnsafeBytes(of: random, base64)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// Base64 with padding (RFC 4648, section 4).
    private static func base64(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { text in
            var end = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let count = min(3, bytes.count - start)
                var bits = 0
                for index in 0..<3 { bits = bits << 8 | (index < count ? Int(bytes[start + index]) : 0) }
                for place in 0..<4 {
                    text[end] = place <= count ? digit(bits >> (18 - 6 * place) & 63) : padding
                    end += 1
                }
            }
            return end
        }
    }

    private static func digit(_ value: Int) -> UInt8 {
        switch value {
        case ..<26: UInt8(ascii: "A") + UInt8(truncatingIfNeeded: value)
        case ..<52: UInt8(ascii: "a") + UInt8(truncatingIfNeeded: value - 26)
        case ..<62: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
