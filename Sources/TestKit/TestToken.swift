import Foundation
import TestSupport

/// Tokens that claim whatever a test likes (RFC 7519, HS256); signed by openssl.
package enum TestToken {
    /// Blocks for some milliseconds.
    package static func signed(_ claims: String, secret: String) throws -> String {
        let text = "\(encoded(Data(#"{"alg":"HS256","typ":"JWT"}"#.utf8))).\(encoded(Data(claims.utf8)))"
        let printed = try RedisServerProcess.ChildProcess.output(
            of: ["sh", "-c", #"printf %s "$1" | openssl dgst -sha256 -hmac "$2" -r"#, "sh", text, secret])
        let digits = printed.prefix { $0 != " " }.compactMap(\.hexDigitValue)
        guard digits.count == 64 else { throw NeverHappened(description: "openssl printed \(printed)") }
        let tag = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        return "\(text).\(encoded(Data(tag)))"
    }

    /// RFC 4648, section 5, without padding.
    private static func encoded(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}
