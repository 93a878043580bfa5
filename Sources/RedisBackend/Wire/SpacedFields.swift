/// Reads fields that are parted by single spaces, without copying; never beyond the bytes given.
struct SpacedFields {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    /// The bytes up to the next space, or what else ends them, which is passed over; nil where there is none.
    mutating func word(before separator: UInt8 = UInt8(ascii: " ")) -> UnsafeRawBufferPointer? {
        guard let end = rest.firstIndex(of: separator) else { return nil }
        let word = UnsafeRawBufferPointer(rebasing: rest[..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
        return word
    }

    /// A whole number of up to 18 digits; nil for anything else.
    mutating func integer() -> Int64? {
        guard let digits = word(), (1...18).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    /// The next `count` bytes; nil where fewer are left.
    mutating func read(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= rest.count else { return nil }
        let taken = UnsafeRawBufferPointer(rebasing: rest[..<count])
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        return taken
    }
}
