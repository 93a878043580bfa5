/// The parts of the opening handshake that are arithmetic (RFC 6455, section 4).
package enum Handshake {
    /// The value of `Sec-WebSocket-Accept` that answers this `Sec-WebSocket-Key` (section 4.2.2).
    package static func acceptKey(for key: String) -> String {
        base64(SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Whether a `Sec-WebSocket-Key`, without white space around it, is the base64 form of 16 bytes (section 4.2.1).
    ///
    /// The four bits of the last digit that belong to no byte may be anything, as most decoders have it.
    package static func isValidKey(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        return bytes.count == 24 && bytes[22...] == [padding, padding] && bytes[..<22].allSatisfy(isDigit)
    }

    /// A client's `Sec-WebSocket-Key` made of 16 random bytes, fresh for each connection (section 4.1).
    package static func makeKey(from random: (UInt64, UInt64)) -> String {
        base64(withUnsafeBytes(of: random, Array.init))
    }

    private static let padding = UInt8(ascii: "=")
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func isDigit(_ byte: UInt8) -> Bool { digits.contains(byte) }

    /// Base64 with padding (RFC 4648, section 4).
    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                text.append(digit <= group.count ? digits[bits >> (18 - 6 * digit) & 63] : padding)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
