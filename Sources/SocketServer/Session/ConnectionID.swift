import GatewayCore

/// A connection's name: unique for ever, by chance and, within a hub, by its number.
///
/// 84 bits in 14 characters: Swift keeps so few without memory of their own, and Redis, which holds each name six times,
/// in 16 bytes.
struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    private let bits: UInt128

    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_".utf8)
    private static let length = 14
    private static let limit = UInt128(1) << UInt128(6 * length)

    private init(bits: UInt128) {
        self.bits = bits
    }

    /// As `description` wrote it; nil for anything else.
    init?(_ description: String) {
        guard description.utf8.count == ConnectionID.length else { return nil }
        var bits: UInt128 = 0
        for (index, byte) in description.utf8.enumerated() {
            guard let digit = ConnectionID.digits.firstIndex(of: byte) else { return nil }
            bits |= UInt128(digit) << UInt128(6 * index)
        }
        self.init(bits: bits)
    }

    /// 64 random bits and 20 of the connection's number in its hub, those aside that say which of so many slices it is in.
    static func random(number: ConnectionNumber, slices count: Int) -> ConnectionID {
        let random = UInt128(BulkRandom.names.next()) << 20 | UInt128(number & 0xF_FFFF)
        let bits = random / UInt128(count) * UInt128(count) + UInt128(number % UInt64(count))
        return bits < limit ? ConnectionID(bits: bits) : .random(number: number, slices: count)
    }

    /// Which of so many slices the name tells.
    func slice(of count: Int) -> Int { Int(bits % UInt128(count)) }

    /// 14 letters, digits, `-` and `_`.
    var description: String {
        String(unsafeUninitializedCapacity: ConnectionID.length) { text in
            for index in 0..<ConnectionID.length {
                text[index] = ConnectionID.digits[Int(truncatingIfNeeded: bits >> UInt128(6 * index)) & 63]
            }
            return ConnectionID.length
        }
    }
}
