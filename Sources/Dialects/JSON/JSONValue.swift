/// A JSON string where it stands in a text; valid only as long as the text's memory is.
package struct JSONString {
    /// What lies between the quotes, escapes undone by nobody yet.
    package let contents: UnsafeRawBufferPointer
    package let hasEscapes: Bool

    /// Whether the string says `name`, which is ASCII; escapes count as what they stand for.
    @inline(__always)
    package func equals(_ name: StaticString) -> Bool {
        if hasEscapes { return equalsUnescaped(name) }
        guard contents.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<contents.count where contents[index] != name.utf8Start[index] { return false }
        return true
    }

    /// The text, nil where an escape names half a surrogate pair or the bytes are not UTF-8.
    package var text: String? {
        if hasEscapes { return unescaped().flatMap { String(validating: $0, as: UTF8.self) } }
        let text = contents.assumingMemoryBound(to: UInt8.self)
        // The validating way looks up its generic types anew at each call, several times the cost of a short text itself.
        if text.allSatisfy({ $0 < 0x80 }) { return String(decoding: text, as: UTF8.self) }
        return String(validating: text, as: UTF8.self)
    }

    /// Undoes no more escapes than it takes to know: a frame may hold thousands of names, each compared with a dozen.
    @inline(never)
    private func equalsUnescaped(_ name: StaticString) -> Bool {
        // An escape takes two bytes or more, and six at most, for one.
        let count = name.utf8CodeUnitCount
        guard contents.count > count, contents.count <= 6 * count, let start = contents.baseAddress else {
            return false
        }
        let end = start + contents.count
        var next = start
        for index in 0..<count {
            guard next < end, let byte = JSONString.readASCII(&next), byte == name.utf8Start[index] else {
                return false
            }
        }
        return next == end
    }

    /// The byte at `next`, or what the escape there stands for; nil where that lies beyond ASCII. The scanner has checked
    /// that the escape is whole.
    @inline(__always)
    private static func readASCII(_ next: inout UnsafeRawPointer) -> UInt8? {
        let byte = next.load(as: UInt8.self)
        guard byte == UInt8(ascii: "\\") else {
            next += 1
            return byte
        }
        let escape = next.load(fromByteOffset: 1, as: UInt8.self)
        next += 2
        switch escape {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"):
            var unit: UInt16 = 0
            for offset in 0..<4 {
                unit = unit << 4 | UInt16(JSONScanner.hexDigit(next.load(fromByteOffset: offset, as: UInt8.self)) ?? 0)
            }
            next += 4
            return unit < 0x80 ? UInt8(unit) : nil
        default: return escape
        }
    }

    /// The bytes with each escape undone, nil where one names half a surrogate pair (RFC 8259, section 7).
    private func unescaped() -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(contents.count)
        var offset = 0
        while offset < contents.count {
            let byte = contents[offset]
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                offset += 1
                continue
            }
            let escape = contents[offset + 1]
            offset += 2
            switch escape {
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(at: &offset) else { return nil }
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            default: bytes.append(escape)
            }
        }
        return bytes
    }

    /// The character behind `\u`, whose four digits stand at `offset`; takes the other half of a pair along.
    private func scalar(at offset: inout Int) -> Unicode.Scalar? {
        let unit = codeUnit(at: offset)
        offset += 4
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), offset + 6 <= contents.count,
            contents[offset] == UInt8(ascii: "\\"), contents[offset + 1] == UInt8(ascii: "u")
        else { return nil }
        let trail = codeUnit(at: offset + 2)
        guard UTF16.isTrailSurrogate(trail) else { return nil }
        offset += 6
        return Unicode.Scalar(0x10000 + (UInt32(unit & 0x3FF) << 10) + UInt32(trail & 0x3FF))
    }

    /// Four hexadecimal digits, which the scanner has checked.
    private func codeUnit(at offset: Int) -> UInt16 {
        (offset..<(offset + 4)).reduce(0) { $0 << 4 | UInt16(JSONScanner.hexDigit(contents[$1]) ?? 0) }
    }
}

/// A JSON value where it stands in a text; valid only as long as the text's memory is.
package struct JSONValue {
    package enum Kind: Sendable {
        case object, array
        case string(hasEscapes: Bool)
        /// Integers have neither a fraction nor an exponent.
        case number(isInteger: Bool)
        case boolean(Bool)
        case null
    }

    package let kind: Kind
    /// The value and nothing around it.
    package let bytes: UnsafeRawBufferPointer

    package var string: JSONString? {
        guard case .string(let hasEscapes) = kind else { return nil }
        return JSONString(contents: .init(rebasing: bytes[1..<(bytes.count - 1)]), hasEscapes: hasEscapes)
    }

    /// The number where it is an integer that fits.
    package var integer: Int? {
        guard case .number(isInteger: true) = kind else { return nil }
        let isNegative = bytes[0] == UInt8(ascii: "-")
        var value = 0
        for byte in bytes[(isNegative ? 1 : 0)...] {
            let digit = Int(byte &- UInt8(ascii: "0"))
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    package var boolean: Bool? {
        guard case .boolean(let value) = kind else { return nil }
        return value
    }
}
