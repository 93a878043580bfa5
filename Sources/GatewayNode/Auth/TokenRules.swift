import FoundationEssentials
import GatewayCore

/// The rules for the claims of a token with a good signature.
struct TokenRules: Sendable {
    /// What `iss` must be; nil looks at none.
    var issuer: String?
    /// What the audience must be or contain; nil looks at none.
    var audience: String?
    var names = ClaimNames()
    /// How far the clocks of issuer and node may differ.
    var leeway: Duration

    /// The identity these claims give at a time in milliseconds since 1970.
    func identity(of claims: TokenClaims, now: Int64) throws(TokenError) -> Identity {
        guard case .value(let name) = claims.user else {
            throw TokenError("the token's \(names.user) is missing or no text")
        }
        guard let user = UserID(person: name) else { throw TokenError("the token's \(names.user) \(UserID.rule)") }
        guard let expires = try seconds(claims.exp, "exp") else { throw TokenError("the token has no exp") }
        let margin = leeway / .seconds(1)
        let seconds = Double(now) / 1000
        guard seconds < expires + margin else { throw TokenError("the token has expired") }
        if let start = try self.seconds(claims.nbf, "nbf"), seconds + margin < start {
            throw TokenError("the token is not valid yet")
        }
        if let issuer {
            guard case .value(let name) = claims.iss, name.utf8.elementsEqual(issuer.utf8) else {
                throw TokenError("the token's iss is not the expected one")
            }
        }
        if let audience {
            guard case .value(let list) = claims.audience,
                list.contains(where: { $0.utf8.elementsEqual(audience.utf8) })
            else { throw TokenError("the token's \(names.audience) is not this gateway") }
        }
        var identity = Identity(
            userId: user, expires: Int64(expires), issuedAt: issued(claims.iat), grants: try grants(claims.rooms))
        if let info = claims.info { identity.info = try checked(info) }
        return identity
    }

    /// What every member of a room is sent of every other: an object, and not a large one.
    static let maxInfoBytes = 2048

    private func checked(_ info: [UInt8]) throws(TokenError) -> [UInt8] {
        guard info.first == UInt8(ascii: "{") else { throw TokenError("the token's info is not an object") }
        guard info.count <= TokenRules.maxInfoBytes else {
            throw TokenError("the token's info is longer than \(TokenRules.maxInfoBytes) bytes")
        }
        return info
    }

    /// When a token whose signature nobody has looked at says that it was issued: milliseconds since 1970; 0 where it does not.
    func issue(of payload: Data) -> Int64 {
        TokenClaims(payload, names: names).map { issued($0.iat) } ?? 0
    }

    /// Milliseconds since 1970; 0 where the token does not say it in a way that can be read, which makes it older than all.
    private func issued(_ claim: TokenClaims.Claim<Double>) -> Int64 {
        guard case .value(let value) = claim, (0..<0x1p43).contains(value) else { return 0 }
        return Int64(value * 1000)
    }

    private func seconds(_ claim: TokenClaims.Claim<Double>, _ name: String) throws(TokenError) -> Double? {
        switch claim {
        case .absent: return nil
        // Beyond 2^53 a Double no longer counts seconds, and far beyond it no integer holds it.
        case .value(let value) where value.magnitude < 0x1p53: return value
        case .value, .malformed: throw TokenError("the token's \(name) is not a time in seconds")
        }
    }

    private func grants(_ claim: TokenClaims.Claim<[String: [String]]>) throws(TokenError) -> RoomGrants? {
        switch claim {
        case .absent: return nil
        case .malformed: throw TokenError("the token's rooms is not an object of lists of actions")
        case .value(let rooms): return try RoomGrants(claim: rooms)
        }
    }
}

extension RoomGrants {
    /// The grants that a `rooms` claim lists: pattern to actions.
    package init(claim: [String: [String]]) throws(TokenError) {
        var entries: [(pattern: RoomPattern, actions: Set<RoomAction>)] = []
        for (text, names) in claim.sorted(by: { $0.key < $1.key }) {
            guard let pattern = RoomPattern(text) else {
                throw TokenError("the token's rooms has a key that is no pattern of room names")
            }
            var actions: Set<RoomAction> = []
            for name in names {
                guard let action = RoomAction(rawValue: name) else {
                    throw TokenError("the token's rooms allows an action other than join, publish, presence, history")
                }
                actions.insert(action)
            }
            entries.append((pattern, actions))
        }
        self.init(entries)
    }

    /// The claim that says the same.
    var claim: [String: [String]] {
        Dictionary(entries.map { ($0.pattern.description, $0.actions.map(\.rawValue).sorted()) }) { $0 + $1 }
    }
}
