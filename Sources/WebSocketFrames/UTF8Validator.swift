/// Checks UTF-8 as it arrives, in pieces of any size, and refuses at the first byte that no valid text can have there.
///
/// The rule is the table of well-formed byte sequences (Unicode 16, table 3-7; RFC 3629, section 4): no overlong form,
/// no surrogate, nothing above U+10FFFF.
struct UTF8Validator: Equatable {
    /// How many bytes the present scalar still lacks.
    private var missing: UInt8 = 0
    /// What the next of those bytes lies between.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Whether the text may end here.
    var isAtScalarBoundary: Bool { missing == 0 }

    /// Takes the next bytes; false once the text cannot be UTF-8, after which the validator is of no further use.
    mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        var offset = 0
        while offset < count {
            if missing == 0 {
                while offset &+ 8 <= count,
                    base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
                {
                    offset &+= 8
                }
                guard offset < count else { return true }
            }
            guard accept(base.load(fromByteOffset: offset, as: UInt8.self)) else { return false }
            offset &+= 1
        }
        return true
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard missing == 0 else {
            guard byte >= lowest, byte <= highest else { return false }
            missing &-= 1
            lowest = 0x80
            highest = 0xBF
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lowest) = (2, 0xA0)
        case 0xED: (missing, highest) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lowest) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, highest) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
