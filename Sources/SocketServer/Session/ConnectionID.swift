/// A connection's name: unique for ever, by chance.
struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    private let bits: UInt128

    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    private static let length = 26

    private init(bits: UInt128) {
        self.bits = bits
    }

    /// As `description` wrote it; nil for anything else.
    init?(_ description: String) {
        guard description.utf8.count == ConnectionID.length else { return nil }
        var bits: UInt128 = 0
        for (index, byte) in description.utf8.enumerated() {
            guard let digit = ConnectionID.digits.firstIndex(of: byte) else { return nil }
            bits |= UInt128(digit) << UInt128(5 * index)
        }
        self.init(bits: bits)
        // The last digit has room for more bits than are left.
        guard self.description == description else { return nil }
    }

    /// 128 random bits, those aside that say which of so many slices the connection is in.
    static func random(slice: Int, of count: Int) -> ConnectionID {
        var generator = SystemRandomNumberGenerator()
        let random = UInt128(generator.next()) << 64 | UInt128(generator.next())
        let bits = random / UInt128(count) * UInt128(count)
        let (named, overflow) = bits.addingReportingOverflow(UInt128(slice))
        return overflow ? .random(slice: slice, of: count) : ConnectionID(bits: named)
    }

    /// Which of so many slices the name tells.
    func slice(of count: Int) -> Int { Int(bits % UInt128(count)) }

    /// 26 letters and digits.
    var description: String {
        String(unsafeUninitializedCapacity: ConnectionID.length) { text in
            for index in 0..<ConnectionID.length {
                text[index] = ConnectionID.digits[Int(truncatingIfNeeded: bits >> UInt128(5 * index)) & 31]
            }
            return ConnectionID.length
        }
    }
}
