import Crypto
import CryptoExtras
import FoundationEssentials

/// A key that tokens are checked with. Its kind decides what it can check: a public key is never taken for a secret, nor a
/// key of one family for one of another, whatever a token says of itself (RFC 8725, section 3.1).
package enum TokenKey: Sendable {
    case secret(SymmetricKey)
    case rsa(_RSA.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)
    case p384(P384.Signing.PublicKey)
    case p521(P521.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)

    /// The sizes of RSA keys, in bits: below them they are weak, above them a check takes long.
    static let rsaBits = 2048...8192

    static let kinds = "RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519"

    init(secret: String) {
        self = .secret(SymmetricKey(data: Array(secret.utf8)))
    }

    /// What it can check.
    package var algorithms: Set<SignatureAlgorithm> {
        switch self {
        case .secret: SignatureAlgorithm.symmetric
        case .rsa: SignatureAlgorithm.rsa
        case .p256: [.es256]
        case .p384: [.es384]
        case .p521: [.es512]
        case .ed25519: [.edDSA]
        }
    }

    /// Whether the signature is this key's, by this algorithm; false for an algorithm that is not one of the key's.
    func hasSigned(_ text: some DataProtocol, _ signature: Data, by algorithm: SignatureAlgorithm) -> Bool {
        switch (self, algorithm) {
        case (.secret(let key), .hs256):
            HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: text, using: key)
        case (.secret(let key), .hs384):
            HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: text, using: key)
        case (.secret(let key), .hs512):
            HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: text, using: key)
        case (.rsa(let key), .rs256): TokenKey.check(key, SHA256.hash(data: text), signature, .insecurePKCS1v1_5)
        case (.rsa(let key), .rs384): TokenKey.check(key, SHA384.hash(data: text), signature, .insecurePKCS1v1_5)
        case (.rsa(let key), .rs512): TokenKey.check(key, SHA512.hash(data: text), signature, .insecurePKCS1v1_5)
        case (.rsa(let key), .ps256): TokenKey.check(key, SHA256.hash(data: text), signature, .PSS)
        case (.rsa(let key), .ps384): TokenKey.check(key, SHA384.hash(data: text), signature, .PSS)
        case (.rsa(let key), .ps512): TokenKey.check(key, SHA512.hash(data: text), signature, .PSS)
        // What is no signature of the curve by its length is thrown out, which is a no.
        case (.p256(let key), .es256):
            (try? P256.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: text) } ?? false
        case (.p384(let key), .es384):
            (try? P384.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: text) } ?? false
        case (.p521(let key), .es512):
            (try? P521.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: text) } ?? false
        case (.ed25519(let key), .edDSA): key.isValidSignature(signature, for: text)
        case (.secret, _), (.rsa, _), (.p256, _), (.p384, _), (.p521, _), (.ed25519, _): false
        }
    }

    private static func check(
        _ key: _RSA.Signing.PublicKey, _ digest: some Digest, _ signature: Data, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
    }
}
