import GatewayCore

/// The part of a request's target behind `?`.
package struct QueryString: Sendable {
    /// A reason why a value cannot be had.
    package enum Failure: Error, Hashable, Sendable {
        /// A `%` without two hexadecimal digits.
        case badEscape
        case notUTF8
    }

    private let pairs: [(name: Substring, value: Substring)]

    package init(_ text: Substring) {
        // By bytes, since finding where characters end is slow.
        pairs = text.utf8.split(separator: UInt8(ascii: "&")).map { pair in
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { return (Substring(pair), "") }
            return (Substring(pair[..<equals]), Substring(pair[pair.index(after: equals)...]))
        }
    }

    /// The first value of this name with its escapes undone; nil where it is not there. `+` stands for itself (RFC 3986).
    package func value(of name: String) throws(Failure) -> String? {
        guard let pair = pairs.first(where: { $0.name == name }) else { return nil }
        return try QueryString.decode(pair.value)
    }

    private static func decode(_ text: Substring) throws(Failure) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(HexDigits.value),
                let low = rest.popFirst().flatMap(HexDigits.value)
            else { throw .badEscape }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return decoded
    }
}
