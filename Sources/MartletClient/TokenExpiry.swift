import Dialects

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The expiry of a token, read off the token itself; nobody here can say whether its signature holds.
package enum TokenExpiry {
    /// The claim `exp` of a JSON Web Token (RFC 7519, section 4.1.4) in milliseconds since 1970; nil where there is none.
    package static func milliseconds(of token: String) -> Int64? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        // RFC 7515, appendix C: base64 with two other characters and without its end.
        var text = String(parts[1].map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let claims = Data(base64Encoded: text) else { return nil }
        return Array(claims).withUnsafeBytes { bytes in
            guard let value = try? wholeValue(bytes) else { return nil }  // What is no JSON says nothing.
            let seconds = value.fields()?.first { $0.key.equals("exp") }.flatMap {
                Double(String(decoding: $0.value.bytes, as: UTF8.self))
            }
            guard let seconds, seconds.magnitude < 1e12 else { return nil }
            return Int64((seconds * 1000).rounded())
        }
    }

    private static func wholeValue(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
        var scanner = JSONScanner(bytes)
        let value = try scanner.value()
        try scanner.end()
        return value
    }

    /// How long to wait before another token is shown: until a minute before the end, or for half of what is left where
    /// that is no more than a minute; nil where it is too late.
    package static func delay(left: Duration) -> Duration? {
        guard left > .seconds(2) else { return nil }
        return left > .seconds(60) ? left - .seconds(60) : left / 2
    }
}
