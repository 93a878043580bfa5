/// A connection's name: unique for ever, by chance.
struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    private let bits: UInt128

    /// 128 random bits.
    static func random() -> ConnectionID {
        var generator = SystemRandomNumberGenerator()
        return ConnectionID(bits: UInt128(generator.next()) << 64 | UInt128(generator.next()))
    }

    /// 26 letters and digits.
    var description: String {
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
        return String(unsafeUninitializedCapacity: 26) { text in
            for index in 0..<26 {
                text[index] = digits[Int(truncatingIfNeeded: bits >> UInt128(5 * index)) & 31]
            }
            return 26
        }
    }
}
