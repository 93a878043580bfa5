/// Appends JSON to bytes: what is around the values is the caller's, as literal text.
package enum JSONWriter {
    /// Text that is JSON already, such as `{"type":"pong"}`.
    @inline(__always)
    package static func append(_ literal: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// A string with its quotes; only what must be escaped is (RFC 8259, section 7).
    package static func append(string: String, to bytes: inout [UInt8]) {
        var string = string
        string.withUTF8 { append(quoting: $0, to: &bytes) }
    }

    /// The same of a text that is there as UTF-8, such as JSON that goes as a string.
    package static func append(text: [UInt8], to bytes: inout [UInt8]) {
        text.withUnsafeBufferPointer { append(quoting: $0, to: &bytes) }
    }

    @inline(__always)
    private static func append(quoting text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var plain = 0
        for index in 0..<text.count {
            let byte = text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[plain..<index]))
            append(escaped: byte, to: &bytes)
            plain = index + 1
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[plain...]))
        bytes.append(UInt8(ascii: "\""))
    }

    package static func append(integer: some FixedWidthInteger, to bytes: inout [UInt8]) {
        var rest = UInt64(integer.magnitude)
        if integer < 0 { bytes.append(UInt8(ascii: "-")) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var first = digits.count
            repeat {
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
                first -= 1
                digits.initializeElement(at: first, to: UInt8(ascii: "0") + UInt8(remainder))
                rest = quotient
            } while rest != 0
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[first...]))
        }
    }

    private static func append(escaped byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): append(#"\""#, to: &bytes)
        case UInt8(ascii: "\\"): append(#"\\"#, to: &bytes)
        case 0x08: append(#"\b"#, to: &bytes)
        case 0x09: append(#"\t"#, to: &bytes)
        case 0x0A: append(#"\n"#, to: &bytes)
        case 0x0C: append(#"\f"#, to: &bytes)
        case 0x0D: append(#"\r"#, to: &bytes)
        default:
            append(#"\u00"#, to: &bytes)
            for digit in [byte >> 4, byte & 0xF] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
