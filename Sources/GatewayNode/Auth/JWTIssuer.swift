import GatewayCore
import JWTKit

/// Signs tokens that ``JWTVerifier`` believes: for trying things out, and for tests.
package struct JWTIssuer: Sendable {
    private let keys: JWTKeyCollection
    private let issuer: String?
    private let audience: String?

    package init(secret: String, issuer: String? = nil, audience: String? = nil) async {
        keys = await JWTKeyCollection(secret: secret)
        self.issuer = issuer
        self.audience = audience
    }

    /// A token that names the user and ends at `expires`, in seconds since 1970.
    ///
    /// - Parameters:
    ///   - issued: Seconds since 1970; nil leaves it unsaid.
    ///   - grants: What it allows; nil leaves that to the gateway's rules.
    package func token(
        for user: UserID, issued: Int64? = nil, expires: Int64, grants: RoomGrants? = nil
    ) async throws -> String {
        var claims = TokenClaims()
        claims.sub = .value(user.string)
        claims.exp = .value(Double(expires))
        if let issued { claims.iat = .value(Double(issued)) }
        if let issuer { claims.iss = .value(issuer) }
        if let audience { claims.aud = .value(TokenClaims.Audience([audience])) }
        if let grants { claims.rooms = .value(grants.claim) }
        return try await keys.sign(claims)
    }
}
