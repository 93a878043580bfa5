import Dialects
import FoundationEssentials
import GatewayCore
import JWTKit

/// Believes JSON web tokens that are signed with HS256 and a shared secret, and nothing else.
package struct JWTVerifier: TokenVerifier {
    /// Longer tokens are refused unread.
    package static let maxTokenBytes = 16_384

    private let keys: JWTKeyCollection
    private let rules: TokenRules
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - issuer: What `iss` must be; nil looks at none.
    ///   - audience: What `aud` must be or contain; nil looks at none.
    ///   - leeway: How far the clocks of issuer and node may differ.
    ///   - now: Milliseconds since 1970.
    package init(
        secret: String, issuer: String? = nil, audience: String? = nil, leeway: Duration = .seconds(1),
        now: @escaping @Sendable () -> Int64
    ) async {
        keys = await JWTKeyCollection(secret: secret)
        rules = TokenRules(issuer: issuer, audience: audience, leeway: leeway)
        self.now = now
    }

    package func verify(_ token: String) async throws(TokenError) -> Identity {
        guard token.utf8.count <= JWTVerifier.maxTokenBytes else {
            throw TokenError("the token is longer than \(JWTVerifier.maxTokenBytes) bytes")
        }
        let payload = try JWTVerifier.payload(of: token)
        let claims: TokenClaims
        do {
            claims = try await keys.verify(token)
        } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
            throw TokenError("the token's signature is wrong")
        } catch {
            throw TokenError("the token cannot be read")
        }
        return try rules.identity(of: claims, info: try JWTVerifier.info(in: payload), now: now())
    }

    /// The payload of a token whose header is good, with its signature not yet looked at.
    ///
    /// The key's algorithm is what counts; a header that names another, or demands extensions, is refused before it.
    /// RFC 8725 section 3.1 (algorithms), RFC 7515 section 4.1.11 (`crit`).
    private static func payload(of token: String) throws(TokenError) -> Data {
        struct Header: Decodable {
            var alg: String
            var crit: [String]?
        }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isBase64URL) }) else {
            throw TokenError("the token is not three base64url parts")
        }
        // Whatever keeps the header from being read, the token is refused in the same words.
        guard let bytes = data(base64URL: parts[0]), let header = try? JSONDecoder().decode(Header.self, from: bytes)
        else { throw TokenError("the token's header cannot be read") }
        guard header.alg == "HS256" else { throw TokenError("the token is not signed with HS256") }
        guard header.crit == nil else { throw TokenError("the token demands extensions that are not known") }
        guard let payload = data(base64URL: parts[1]) else { throw TokenError("the token cannot be read") }
        return payload
    }

    /// The claim `info` byte for byte, since decoding and encoding would change its numbers and its order; nil where the
    /// payload has none.
    private static func info(in payload: Data) throws(TokenError) -> [UInt8]? {
        do {
            return try payload.withUnsafeBytes { bytes in
                var info: [UInt8]?
                var scanner = JSONScanner(bytes)
                var key = try scanner.firstKey()
                while let name = key {
                    let value = try scanner.value()
                    if name.equals("info") { info = Array(value.bytes) }
                    key = try scanner.nextKey()
                }
                try scanner.end()
                return info
            }
        } catch {
            throw TokenError("the token cannot be read")
        }
    }

    private static func data(base64URL text: Substring.UTF8View) -> Data? {
        var base64 = String(decoding: text, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        return Data(base64Encoded: base64)
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}

extension JWTKeyCollection {
    /// One HS256 key.
    ///
    /// HMAC fills keys with zero bytes up to its block of 64 (RFC 2104), so filling one up to the 32 that JWTKit
    /// insists on changes no signature.
    init(secret: String) async {
        self.init()
        let key = Array(secret.utf8)
        add(hmac: HMACKey(from: key + Array(repeating: 0, count: max(0, 32 - key.count))), digestAlgorithm: .sha256)
    }
}
