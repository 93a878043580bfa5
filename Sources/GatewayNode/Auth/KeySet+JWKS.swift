import Crypto
import CryptoExtras
import FoundationEssentials

extension KeySet {
    /// The longest JWKS that is read, in bytes, and how many keys that sign it may hold.
    package static let maxBytes = 256 << 10
    private static let maxKeys = 100

    /// The keys of a JSON Web Key Set (RFC 7517) that sign; others, such as those that encrypt, are passed over.
    ///
    /// A secret in it (`oct`) is passed over too: what a URL shows to everybody keeps nobody out.
    package init(jwks bytes: some Sequence<UInt8>) throws(KeyProblem) {
        let document: WebKeySet
        do {
            document = try JSONDecoder().decode(WebKeySet.self, from: Data(bytes))
        } catch {
            throw KeyProblem("is no JWKS: an object with a list \"keys\"")
        }
        let entries = document.keys.compactMap(\.entry)
        guard entries.count <= KeySet.maxKeys else {
            throw KeyProblem("holds more than \(KeySet.maxKeys) keys that sign tokens")
        }
        guard !entries.isEmpty else {
            throw KeyProblem("holds no key that signs tokens: \(TokenKey.kinds)")
        }
        self.init(entries)
    }
}

private struct WebKeySet: Decodable {
    var keys: [WebKey]
}

/// One key as a JWKS has it; members that are not looked at may be anything.
private struct WebKey: Decodable {
    var kty: String?
    var kid: String?
    var alg: String?
    var use: String?
    var operations: [String]?
    var crv: String?
    var n: String?
    var e: String?
    var x: String?
    var y: String?

    private enum CodingKeys: String, CodingKey {
        case kty, kid, alg, use, crv, n, e, x, y
        case operations = "key_ops"
    }

    /// A member of a type that it ought not to have counts as absent, and what is no object as one without members, so that
    /// one odd key does not hide the others.
    init(from decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: CodingKeys.self) else { return }
        func text(_ key: CodingKeys) -> String? { try? container.decode(String.self, forKey: key) }
        (kty, kid, alg, use) = (text(.kty), text(.kid), text(.alg), text(.use))
        (crv, n, e, x, y) = (text(.crv), text(.n), text(.e), text(.x), text(.y))
        // As above.
        operations = try? container.decode([String].self, forKey: .operations)
    }

    /// Nil for what signs nothing here.
    var entry: KeySet.Entry? {
        guard use == nil || use == "sig", operations?.contains("verify") ?? true, let key else { return nil }
        guard let alg else { return KeySet.Entry(id: kid, key: key, algorithms: key.algorithms) }
        guard let algorithm = SignatureAlgorithm(rawValue: alg), key.algorithms.contains(algorithm) else { return nil }
        return KeySet.Entry(id: kid, key: key, algorithms: [algorithm])
    }

    /// Whatever keeps the library from reading it, it is passed over: hence each `try?`.
    private var key: TokenKey? {
        switch (kty, crv) {
        case ("RSA", _):
            guard let n = Base64URL.decode(n), let e = Base64URL.decode(e),
                let key = try? _RSA.Signing.PublicKey(n: n, e: e), TokenKey.rsaBits.contains(key.keySizeInBits)
            else { return nil }
            return .rsa(key)
        case ("EC", "P-256"):
            return point(32).flatMap { try? P256.Signing.PublicKey(x963Representation: $0) }.map { .p256($0) }
        case ("EC", "P-384"):
            return point(48).flatMap { try? P384.Signing.PublicKey(x963Representation: $0) }.map { .p384($0) }
        case ("EC", "P-521"):
            return point(66).flatMap { try? P521.Signing.PublicKey(x963Representation: $0) }.map { .p521($0) }
        case ("OKP", "Ed25519"):
            return Base64URL.decode(x).flatMap { try? Curve25519.Signing.PublicKey(rawRepresentation: $0) }
                .map { .ed25519($0) }
        default: return nil
        }
    }

    /// An uncompressed point (SEC 1, section 2.3.3); each coordinate has its full length (RFC 7518, section 6.2.1).
    private func point(_ bytes: Int) -> Data? {
        guard let x = Base64URL.decode(x), let y = Base64URL.decode(y), x.count == bytes, y.count == bytes else {
            return nil
        }
        return [0x04] + x + y
    }
}
