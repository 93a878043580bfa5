/// Walks through a JSON text (RFC 8259, strictly) without building anything: each value is handed out where it stands.
///
/// It is safe on any bytes and never reads beyond them. That the text is UTF-8 was checked by whoever received it.
/// What it hands out points into the text's memory and must not outlive it.
package struct JSONScanner {
    /// Objects and arrays inside each other in one value, the outermost counted; what is nested deeper is refused.
    package static let maxDepth = 64
    /// The same of a text in which values stand that may be nested as deep by themselves, such as a page of messages.
    package static let maxTextDepth = 72

    private let bytes: UnsafeRawBufferPointer
    /// How far it has come, in bytes from the beginning.
    package private(set) var offset = 0
    /// Containers that were entered and not left yet.
    private var depth = 0

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Whether the next value is an object.
    package mutating func isAtObject() -> Bool {
        skipSpace()
        return current == UInt8(ascii: "{")
    }

    /// Enters an object: its first key, nil where it is empty (and left again).
    package mutating func firstKey() throws(JSONError) -> JSONString? {
        try enter(UInt8(ascii: "{"))
        if leaves(at: UInt8(ascii: "}")) { return nil }
        return try key()
    }

    /// The key after a value that was taken: nil where the object ends here (and is left).
    package mutating func nextKey() throws(JSONError) -> JSONString? {
        skipSpace()
        if leaves(at: UInt8(ascii: "}")) { return nil }
        try expect(UInt8(ascii: ","))
        skipSpace()
        return try key()
    }

    /// Enters an array: whether it has an element; an empty one is left again.
    package mutating func firstElement() throws(JSONError) -> Bool {
        try enter(UInt8(ascii: "["))
        return !leaves(at: UInt8(ascii: "]"))
    }

    /// Whether another element follows one that was taken; at the end the array is left.
    package mutating func nextElement() throws(JSONError) -> Bool {
        skipSpace()
        if leaves(at: UInt8(ascii: "]")) { return false }
        try expect(UInt8(ascii: ","))
        return true
    }

    /// Checks the next value to its end and hands it out as it stands.
    ///
    /// - Parameter maxDepth: containers inside each other in it, itself counted; not above `maxTextDepth`.
    package mutating func value(upTo maxDepth: Int = JSONScanner.maxDepth) throws(JSONError) -> JSONValue {
        skipSpace()
        let start = offset
        let kind = try skipValue(upTo: maxDepth)
        return JSONValue(kind: kind, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
    }

    /// Checks that nothing but white space is left.
    package mutating func end() throws(JSONError) {
        skipSpace()
        guard offset == bytes.count else { throw unexpected }
    }

    package static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    // MARK: Steps

    /// The byte ahead; 0, which JSON allows nowhere, at the end.
    @inline(__always)
    private var current: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    private var unexpected: JSONError {
        JSONError(offset < bytes.count ? .unexpectedByte : .unexpectedEnd, at: offset)
    }

    @inline(__always)
    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset &+= 1
            default: return
            }
        }
    }

    @inline(__always)
    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard current == byte else { throw unexpected }
        offset &+= 1
    }

    private mutating func enter(_ opening: UInt8, upTo limit: Int = JSONScanner.maxTextDepth) throws(JSONError) {
        skipSpace()
        guard current == opening else { throw unexpected }
        guard depth < limit else { throw JSONError(.tooDeep, at: offset) }
        depth += 1
        offset &+= 1
        skipSpace()
    }

    @inline(__always)
    private mutating func leaves(at closing: UInt8) -> Bool {
        guard current == closing else { return false }
        depth -= 1
        offset &+= 1
        return true
    }

    /// A key, its colon and the space behind it.
    @inline(__always)
    private mutating func key() throws(JSONError) -> JSONString {
        guard current == UInt8(ascii: "\"") else { throw unexpected }
        let start = offset + 1
        let hasEscapes = try skipString()
        let contents = UnsafeRawBufferPointer(rebasing: bytes[start..<(offset - 1)])
        skipSpace()
        try expect(UInt8(ascii: ":"))
        skipSpace()
        return JSONString(contents: contents, hasEscapes: hasEscapes)
    }

    // MARK: Values

    @inline(__always)
    private mutating func skipValue(upTo maxDepth: Int) throws(JSONError) -> JSONValue.Kind {
        switch current {
        case UInt8(ascii: "\""): return .string(hasEscapes: try skipString())
        case UInt8(ascii: "{"):
            try skipContainer(upTo: maxDepth)
            return .object
        case UInt8(ascii: "["):
            try skipContainer(upTo: maxDepth)
            return .array
        default: return try skipScalar()
        }
    }

    /// A number or a literal.
    private mutating func skipScalar() throws(JSONError) -> JSONValue.Kind {
        switch current {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(isInteger: try skipNumber())
        case UInt8(ascii: "t"):
            try skipLiteral("true")
            return .boolean(true)
        case UInt8(ascii: "f"):
            try skipLiteral("false")
            return .boolean(false)
        case UInt8(ascii: "n"):
            try skipLiteral("null")
            return .null
        default: throw unexpected
        }
    }

    /// An object or array with all that is in it, in one loop: the text's nesting never reaches this thread's stack.
    private mutating func skipContainer(upTo maxDepth: Int) throws(JSONError) {
        var kinds = Nesting()
        let outside = depth
        let limit = outside + maxDepth
        while true {
            // Here a value begins.
            switch current {
            case UInt8(ascii: "{"):
                try enter(UInt8(ascii: "{"), upTo: limit)
                kinds.enter(isObject: true)
                if !leaves(at: UInt8(ascii: "}")) {
                    _ = try key()
                    continue
                }
                kinds.leave()
            case UInt8(ascii: "["):
                try enter(UInt8(ascii: "["), upTo: limit)
                kinds.enter(isObject: false)
                if !leaves(at: UInt8(ascii: "]")) { continue }
                kinds.leave()
            case UInt8(ascii: "\""): _ = try skipString()
            default: _ = try skipScalar()
            }
            // Here one has ended, and perhaps those around it.
            while depth > outside {
                let isObject = kinds.isInObject
                skipSpace()
                if current == UInt8(ascii: ",") {
                    offset &+= 1
                    skipSpace()
                    if isObject { _ = try key() }
                    break
                }
                guard leaves(at: isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw unexpected }
                kinds.leave()
            }
            if depth == outside { return }
        }
    }

    private mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
        for index in 0..<literal.utf8CodeUnitCount { try expect(literal.utf8Start[index]) }
    }
}

extension JSONScanner {
    /// Of what kind each open container is: a bit for each of at most 128, the innermost lowest.
    private struct Nesting {
        private var inner: UInt64 = 0
        private var outer: UInt64 = 0

        @inline(__always)
        var isInObject: Bool { inner & 1 == 1 }

        @inline(__always)
        mutating func enter(isObject: Bool) {
            outer = outer << 1 | inner >> 63
            inner = inner << 1 | (isObject ? 1 : 0)
        }

        @inline(__always)
        mutating func leave() {
            inner = inner >> 1 | outer << 63
            outer >>= 1
        }
    }
}

// MARK: Numbers and strings

extension JSONScanner {
    /// RFC 8259, section 6; answers whether it is an integer.
    private mutating func skipNumber() throws(JSONError) -> Bool {
        if current == UInt8(ascii: "-") { offset &+= 1 }
        if current == UInt8(ascii: "0") {
            offset &+= 1
            if isDigit(current) { throw JSONError(.badNumber, at: offset) }
        } else {
            try skipDigits()
        }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            offset &+= 1
            try skipDigits()
        }
        if current | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset &+= 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset &+= 1 }
            try skipDigits()
        }
        return isInteger
    }

    /// One digit or more.
    private mutating func skipDigits() throws(JSONError) {
        guard isDigit(current) else {
            throw JSONError(offset < bytes.count ? .badNumber : .unexpectedEnd, at: offset)
        }
        while isDigit(current) { offset &+= 1 }
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// RFC 8259, section 7, from the opening quote to behind the closing one; answers whether there are escapes.
    @inline(__always)
    private mutating func skipString() throws(JSONError) -> Bool {
        var hasEscapes = false
        offset &+= 1
        while true {
            skipPlain()
            switch current {
            case UInt8(ascii: "\""):
                offset &+= 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            default:
                throw JSONError(offset < bytes.count ? .controlCharacter : .unexpectedEnd, at: offset)
            }
        }
    }

    /// On to the next quote, backslash or control character, eight bytes at a time.
    @inline(__always)
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while offset &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            // A byte's high bit ends up set where it is zero, or below 0x20; a borrow can only blur bytes above the first such one.
            let hits =
                ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word) & highs
            if hits != 0 {
                offset &+= hits.trailingZeroBitCount &>> 3
                return
            }
            offset &+= 8
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { return }
            offset &+= 1
        }
    }

    private mutating func skipEscape() throws(JSONError) {
        let start = offset
        offset &+= 1
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset &+= 1
        case UInt8(ascii: "u"):
            offset &+= 1
            for _ in 0..<4 {
                guard JSONScanner.hexDigit(current) != nil else {
                    throw JSONError(offset < bytes.count ? .badEscape : .unexpectedEnd, at: offset)
                }
                offset &+= 1
            }
        default:
            throw offset < bytes.count ? JSONError(.badEscape, at: start) : JSONError(.unexpectedEnd, at: offset)
        }
    }
}
