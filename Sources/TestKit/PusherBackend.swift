import Crypto
import Foundation

/// A backend that signs its calls as Pusher's libraries do, each of which spells them a little differently.
package struct PusherBackend: Sendable {
    /// How what is signed is spelled where it is sent.
    package enum Spelling: Sendable, CaseIterable {
        /// Path and query go as they were signed.
        case plain
        /// The query is encoded as forms are, behind its signature.
        case encodedQuery
        /// Path and query are encoded, behind their signature.
        case encoded
        /// The path is encoded before it is signed.
        case signedEncoded
    }

    package var id: String
    package var key: String
    package var secret: String
    package var spelling = Spelling.plain

    package init(id: String = "app", key: String = "key", secret: String = "secret") {
        (self.id, self.key, self.secret) = (id, key, secret)
    }

    /// The target of a request, with all that signs it.
    ///
    /// - Parameters:
    ///   - call: what stands behind the app, such as `/events`; with `isWhole` the whole path.
    ///   - body: nil where there is none.
    ///   - seconds: since 1970; nil: now.
    ///   - digest: of the body, where it is not the real one's.
    package func target(
        _ method: String, _ call: String, _ query: [String: String] = [:], body: String? = nil,
        at seconds: Int64? = nil, digest: String? = nil, isWhole: Bool = false
    ) -> String {
        let path = isWhole ? call : "/apps/\(id)\(call)"
        let seconds = seconds ?? Int64(Date().timeIntervalSince1970)
        var parameters = query
        parameters["auth_key"] = key
        parameters["auth_timestamp"] = "\(seconds)"
        parameters["auth_version"] = "1.0"
        parameters["body_md5"] = digest ?? body.map(PusherBackend.md5)
        let signed = parameters.sorted { $0.key < $1.key }
        let plain = signed.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
        let encoded = signed.map { "\($0.key)=\(PusherBackend.encode($0.value))" }.joined(separator: "&")
        let encodedPath = path.split(separator: "/", omittingEmptySubsequences: false)
            .map { PusherBackend.encode(String($0)) }.joined(separator: "/")
        let signedPath = spelling == .signedEncoded ? encodedPath : path
        let signature = sign("\(method)\n\(signedPath)\n\(plain)")
        switch spelling {
        case .plain: return "\(path)?\(plain)&auth_signature=\(signature)"
        case .encodedQuery: return "\(path)?\(encoded)&auth_signature=\(signature)"
        case .encoded, .signedEncoded: return "\(encodedPath)?\(encoded)&auth_signature=\(signature)"
        }
    }

    /// HMAC-SHA256 by the app's secret, in hexadecimal.
    package func sign(_ text: String) -> String {
        let key = SymmetricKey(data: Data(secret.utf8))
        return PusherBackend.hex(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    package static func md5(_ text: String) -> String { hex(Insecure.MD5.hash(data: Data(text.utf8))) }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }

    private static func encode(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}
