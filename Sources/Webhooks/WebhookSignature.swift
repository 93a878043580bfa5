import Crypto
import GatewayCore

/// `Martlet-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 (RFC 2104) over `t`, a full stop and the body.
///
/// While a secret is being changed there are two `v1`, one for each; a receiver takes any that fits.
package struct WebhookSignature: Hashable, Sendable {
    package static let header = "Martlet-Signature"

    /// Seconds since 1970, when it was made.
    package let timestamp: Int64
    private let codes: [[UInt8]]

    /// Signs with each of the secrets.
    package init(of body: [UInt8], secrets: [String], timestamp: Int64) {
        self.timestamp = timestamp
        codes = secrets.map { WebhookSignature.code(of: body, secret: $0, timestamp: timestamp) }
    }

    /// Nil where the text is not what `text` spells. Parts with other names are passed over.
    package init?(_ text: String) {
        var timestamp: Int64?
        var codes: [[UInt8]] = []
        for part in text.split(separator: ",") {
            if part.hasPrefix("t=") {
                timestamp = Int64(part.dropFirst(2))
            } else if part.hasPrefix("v1=") {
                guard let code = HexDigits.bytes(part.dropFirst(3)) else { return nil }
                codes.append(code)
            }
        }
        guard let timestamp, !codes.isEmpty else { return nil }
        self.timestamp = timestamp
        self.codes = codes
    }

    package var text: String {
        (["t=\(timestamp)"] + codes.map { "v1=\(HexDigits.text($0))" }).joined(separator: ",")
    }

    /// Whether one of the codes was made with this secret; the time that takes tells nothing of the code.
    package func isValid(for body: [UInt8], secret: String) -> Bool {
        let message = WebhookSignature.message(body, timestamp)
        let key = SymmetricKey(data: Array(secret.utf8))
        return codes.contains { HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: message, using: key) }
    }

    private static func code(of body: [UInt8], secret: String, timestamp: Int64) -> [UInt8] {
        let key = SymmetricKey(data: Array(secret.utf8))
        return Array(HMAC<SHA256>.authenticationCode(for: message(body, timestamp), using: key))
    }

    private static func message(_ body: [UInt8], _ timestamp: Int64) -> [UInt8] {
        Array("\(timestamp).".utf8) + body
    }
}
