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
            let byte = base.load(fromByteOffset: offset, as: UInt8.self)
            if byte < 0x80, missing == 0 {
                offset = Self.endOfASCII(from: offset &+ 1, to: count, at: base)
            } else {
                guard accept(byte) else { return false }
                offset &+= 1
            }
        }
        return true
    }

    /// Passes over ASCII in steps of 32 and of 8 bytes; up to 7 bytes of it can be left.
    private static func endOfASCII(from start: Int, to end: Int, at base: UnsafeRawPointer) -> Int {
        let highBits: UInt64 = 0x8080_8080_8080_8080
        func word(_ offset: Int) -> UInt64 { base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        var offset = start
        while offset &+ 32 <= end,
            (word(offset) | word(offset &+ 8) | word(offset &+ 16) | word(offset &+ 24)) & highBits == 0
        {
            offset &+= 32
        }
        while offset &+ 8 <= end, word(offset) & highBits == 0 {
            offset &+= 8
        }
        return offset
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
