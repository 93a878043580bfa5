/// The way in which a token is signed, by its name in the header (RFC 7518, section 3.1; RFC 8037, section 3.1).
package enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"

    /// Whether whoever can check a signature can make one too.
    package var isSymmetric: Bool { SignatureAlgorithm.symmetric.contains(self) }

    static let symmetric: Set<SignatureAlgorithm> = [.hs256, .hs384, .hs512]
    static let rsa: Set<SignatureAlgorithm> = [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
}
