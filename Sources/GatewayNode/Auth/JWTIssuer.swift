import Crypto
import FoundationEssentials
import GatewayCore

/// Signs tokens that ``JWTVerifier`` believes, by HS256: for trying things out, and for tests.
package struct JWTIssuer: Sendable {
    private let key: SymmetricKey
    private let issuer: String?
    private let audience: String?
    private let names: ClaimNames

    package init(secret: String, issuer: String? = nil, audience: String? = nil, names: ClaimNames = ClaimNames()) {
        key = SymmetricKey(data: Array(secret.utf8))
        self.issuer = issuer
        self.audience = audience
        self.names = names
    }

    /// A token that names the user and ends at `expires`, in seconds since 1970.
    ///
    /// - Parameters:
    ///   - issued: Seconds since 1970; nil leaves it unsaid.
    ///   - grants: What it allows; nil leaves that to the gateway's rules.
    package func token(
        for user: UserID, issued: Int64? = nil, expires: Int64, grants: RoomGrants? = nil
    ) throws -> String {
        var claims: [String: Claim] = [names.user: .text(user.string), "exp": .number(expires)]
        if let issued { claims["iat"] = .number(issued) }
        if let issuer { claims["iss"] = .text(issuer) }
        if let audience { claims[names.audience] = .text(audience) }
        if let grants { claims["rooms"] = .rooms(grants.claim) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let header = Base64URL.encode(#"{"alg":"HS256","typ":"JWT"}"#.utf8)
        let signed = "\(header).\(Base64URL.encode(try encoder.encode(claims)))"
        let signature = HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: key)
        return "\(signed).\(Base64URL.encode(signature))"
    }

    private enum Claim: Encodable {
        case text(String)
        case number(Int64)
        case rooms([String: [String]])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .rooms(let rooms): try container.encode(rooms)
            }
        }
    }
}
