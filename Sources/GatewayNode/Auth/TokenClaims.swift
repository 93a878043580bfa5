import JWTKit

/// The claims of a token, each either as it should be, absent, or something else.
///
/// Decoding never fails on a single claim, so that the refusal can name the claim.
struct TokenClaims: JWTPayload {
    var sub: Claim<String> = .absent
    /// Seconds since 1970, possibly with a fraction (RFC 7519, NumericDate).
    var exp: Claim<Double> = .absent
    var nbf: Claim<Double> = .absent
    var iat: Claim<Double> = .absent
    var iss: Claim<String> = .absent
    var aud: Claim<Audience> = .absent
    var rooms: Claim<[String: [String]]> = .absent

    enum Claim<Value: Codable & Sendable>: Sendable {
        case absent, malformed
        case value(Value)
    }

    /// One text or a list of them (RFC 7519, section 4.1.3).
    struct Audience: Codable, Sendable {
        var names: [String]

        init(_ names: [String]) {
            self.names = names
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let name = try? container.decode(String.self) {  // A list is tried next.
                names = [name]
            } else {
                names = try container.decode([String].self)
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if names.count == 1 {
                try container.encode(names[0])
            } else {
                try container.encode(names)
            }
        }
    }

    private enum CodingKeys: CodingKey {
        case sub, exp, nbf, iat, iss, aud, rooms
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func claim<Value>(_ key: CodingKeys) -> Claim<Value> {
            guard container.contains(key) else { return .absent }
            // What does not decode is told apart from what is absent, and refused by name.
            return (try? container.decode(Value.self, forKey: key)).map { .value($0) } ?? .malformed
        }
        sub = claim(.sub)
        exp = claim(.exp)
        nbf = claim(.nbf)
        iat = claim(.iat)
        iss = claim(.iss)
        aud = claim(.aud)
        rooms = claim(.rooms)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func put<Value>(_ claim: Claim<Value>, _ key: CodingKeys) throws {
            if case .value(let value) = claim { try container.encode(value, forKey: key) }
        }
        try put(sub, .sub)
        try put(exp, .exp)
        try put(nbf, .nbf)
        try put(iat, .iat)
        try put(iss, .iss)
        try put(aud, .aud)
        try put(rooms, .rooms)
    }

    /// Nothing here: ``TokenRules`` judges the claims, with a time that is handed in.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
