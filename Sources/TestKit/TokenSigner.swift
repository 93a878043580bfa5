import Crypto
import CryptoExtras
import Foundation

/// An issuer's key pair of a test's own, and the tokens that it signs; they claim whatever the test likes.
package struct TokenSigner: Sendable {
    private enum Key: Sendable {
        case secret(SymmetricKey)
        case rsa(_RSA.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    private let key: Key
    /// What its tokens call it.
    package let id: String?

    package static func secret(_ bytes: some Sequence<UInt8>, id: String? = nil) -> TokenSigner {
        TokenSigner(key: .secret(SymmetricKey(data: Array(bytes))), id: id)
    }

    /// Takes tenths of a second.
    package static func rsa(id: String? = nil) throws -> TokenSigner {
        TokenSigner(key: .rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048)), id: id)
    }

    package static func p256(id: String? = nil) -> TokenSigner { TokenSigner(key: .p256(.init()), id: id) }
    package static func p384(id: String? = nil) -> TokenSigner { TokenSigner(key: .p384(.init()), id: id) }
    package static func p521(id: String? = nil) -> TokenSigner { TokenSigner(key: .p521(.init()), id: id) }
    package static func ed25519(id: String? = nil) -> TokenSigner { TokenSigner(key: .ed25519(.init()), id: id) }

    /// - Parameters:
    ///   - algorithm: what it signs by; one that the key cannot do is signed by one that it can.
    ///   - name: what the header says in its place.
    ///   - members: more of the header, each with a comma before it.
    package func token(
        _ claims: String, by algorithm: String, named name: String? = nil, members: String = ""
    ) throws -> String {
        let kid = id.map { #","kid":"\#($0)""# } ?? ""
        let header = #"{"alg":"\#(name ?? algorithm)","typ":"JWT"\#(kid)\#(members)}"#
        let signed = "\(TokenSigner.encode(Data(header.utf8))).\(TokenSigner.encode(Data(claims.utf8)))"
        return "\(signed).\(TokenSigner.encode(try sign(Data(signed.utf8), algorithm)))"
    }

    private func sign(_ text: Data, _ algorithm: String) throws -> Data {
        let bits = algorithm.suffix(3)
        switch key {
        case .secret(let key):
            switch bits {
            case "384": return Data(HMAC<SHA384>.authenticationCode(for: text, using: key))
            case "512": return Data(HMAC<SHA512>.authenticationCode(for: text, using: key))
            default: return Data(HMAC<SHA256>.authenticationCode(for: text, using: key))
            }
        case .rsa(let key):
            let padding: _RSA.Signing.Padding = algorithm.hasPrefix("PS") ? .PSS : .insecurePKCS1v1_5
            switch bits {
            case "384": return try key.signature(for: SHA384.hash(data: text), padding: padding).rawRepresentation
            case "512": return try key.signature(for: SHA512.hash(data: text), padding: padding).rawRepresentation
            default: return try key.signature(for: SHA256.hash(data: text), padding: padding).rawRepresentation
            }
        case .p256(let key): return try key.signature(for: text).rawRepresentation
        case .p384(let key): return try key.signature(for: text).rawRepresentation
        case .p521(let key): return try key.signature(for: text).rawRepresentation
        case .ed25519(let key): return try key.signature(for: text)
        }
    }

    /// The public key as an entry of a JWKS.
    package func jwk(_ members: String = "") throws -> String {
        let kid = id.map { #""kid":"\#($0)","# } ?? ""
        func curve(_ name: String, _ point: Data) -> String {
            let half = (point.count - 1) / 2
            let (x, y) = (TokenSigner.encode(point[1...half]), TokenSigner.encode(point[(half + 1)...]))
            return #"{\#(kid)"kty":"EC","crv":"\#(name)","x":"\#(x)","y":"\#(y)"\#(members)}"#
        }
        switch key {
        case .secret(let key):
            return #"{\#(kid)"kty":"oct","k":"\#(TokenSigner.encode(key.withUnsafeBytes { Data($0) }))"\#(members)}"#
        case .rsa(let key):
            let parts = try key.publicKey.getKeyPrimitives()
            let (n, e) = (TokenSigner.encode(parts.modulus), TokenSigner.encode(parts.publicExponent))
            return #"{\#(kid)"kty":"RSA","n":"\#(n)","e":"\#(e)"\#(members)}"#
        case .p256(let key): return curve("P-256", key.publicKey.x963Representation)
        case .p384(let key): return curve("P-384", key.publicKey.x963Representation)
        case .p521(let key): return curve("P-521", key.publicKey.x963Representation)
        case .ed25519(let key):
            let x = TokenSigner.encode(key.publicKey.rawRepresentation)
            return #"{\#(kid)"kty":"OKP","crv":"Ed25519","x":"\#(x)"\#(members)}"#
        }
    }

    /// The public key as PEM; empty for a secret.
    package var pem: String {
        switch key {
        case .secret: ""
        case .rsa(let key): key.publicKey.pemRepresentation
        case .p256(let key): key.publicKey.pemRepresentation
        case .p384(let key): key.publicKey.pemRepresentation
        case .p521(let key): key.publicKey.pemRepresentation
        case .ed25519(let key):
            // RFC 8410, section 4.
            "-----BEGIN PUBLIC KEY-----\n"
                + (Data([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00])
                + key.publicKey.rawRepresentation).base64EncodedString() + "\n-----END PUBLIC KEY-----\n"
        }
    }

    /// A JWKS of these.
    package static func jwks(_ signers: [TokenSigner], _ members: String = "") throws -> String {
        #"{"keys":["# + (try signers.map { try $0.jwk(members) }).joined(separator: ",") + "]}"
    }

    /// RFC 4648, section 5, without padding.
    package static func encode(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}
