import Crypto
import Foundation

/// Makes the tokens that the tool's users connect with, for nodes in `auth.mode: jwt` (RFC 7519, HS256).
package struct Tokens: Codable, Sendable {
    private let secret: String
    /// Seconds since 1970.
    private let expires: Int64

    /// The tokens are good for a day.
    package init(secret: String) {
        self.secret = secret
        expires = Int64(Date().timeIntervalSince1970) + 86_400
    }

    package func token(for user: String) -> String {
        let head = Tokens.base64(Data(#"{"alg":"HS256","typ":"JWT"}"#.utf8))
        let claims = Tokens.base64(Data(#"{"sub":"\#(user)","exp":\#(expires)}"#.utf8))
        let signed = "\(head).\(claims)"
        let key = SymmetricKey(data: Data(secret.utf8))
        let signature = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
        return "\(signed).\(Tokens.base64(Data(signature)))"
    }

    /// RFC 4648, section 5, without padding.
    private static func base64(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
