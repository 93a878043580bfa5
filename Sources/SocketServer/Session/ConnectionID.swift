/// A connection's name: unique for ever, by chance.
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

    /// 84 random bits, those aside that say which of so many slices the connection is in.
    static func random(slice: Int, of count: Int) -> ConnectionID {
        var generator = SystemRandomNumberGenerator()
        let random = (UInt128(generator.next()) << 64 | UInt128(generator.next())) % limit
        let bits = random / UInt128(count) * UInt128(count) + UInt128(slice)
        return bits < limit ? ConnectionID(bits: bits) : .random(slice: slice, of: count)
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
