/// The fault of a text that is not JSON (RFC 8259) and its place, or the reason why the scanner will not follow it.
package struct JSONError: Error, Hashable, Sendable {
    package enum Reason: String, Sendable {
        case unexpectedEnd = "unexpected end"
        case unexpectedByte = "unexpected character"
        case controlCharacter = "control character in a string"
        case badEscape = "bad escape in a string"
        case badNumber = "bad number"
        case tooDeep = "nested too deep"
    }

    package var reason: Reason
    /// Bytes from the beginning of the text.
    package var offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// For people: names the place, quotes nothing.
    package var message: String { "\(reason.rawValue) at byte \(offset)" }
}
