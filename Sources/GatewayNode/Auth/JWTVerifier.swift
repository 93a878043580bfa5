import GatewayCore
import Metrics

/// One who signs tokens: what it signs with, and what it calls things.
package struct TokenIssuer: Sendable {
    let rules: TokenRules
    /// What counts beside what its keys can; whatever else a token says of itself is refused.
    let algorithms: Set<SignatureAlgorithm>
    package let keys: KeySource

    /// - Parameters:
    ///   - name: What `iss` must be; nil looks at none.
    ///   - audience: What the audience must be or contain; nil looks at none.
    ///   - leeway: How far the clocks of issuer and node may differ.
    package init(
        name: String? = nil, audience: String? = nil, algorithms: Set<SignatureAlgorithm>, keys: KeySource,
        names: ClaimNames = ClaimNames(), leeway: Duration = .seconds(1)
    ) {
        rules = TokenRules(issuer: name, audience: audience, names: names, leeway: leeway)
        self.algorithms = algorithms
        self.keys = keys
    }
}

/// Believes JSON web tokens (RFC 7519) of the issuers that it knows, and nobody else's.
package struct JWTVerifier: TokenVerifier {
    private let issuers: Current<[TokenIssuer]>
    private let now: @Sendable () -> Int64
    private let desk = TokenDesk()
    private let metrics: TokenMetrics

    /// - Parameters:
    ///   - issuers: At least one; of several each has a name of its own, by which a token finds it.
    ///   - now: Milliseconds since 1970.
    package init(
        issuers: [TokenIssuer], metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        now: @escaping @Sendable () -> Int64
    ) {
        precondition(!issuers.isEmpty, "a verifier without an issuer")
        self.issuers = Current(issuers)
        self.now = now
        self.metrics = TokenMetrics(factory: metrics)
    }

    /// From here on these are believed, and nobody else; at least one.
    package func replace(_ issuers: [TokenIssuer]) {
        precondition(!issuers.isEmpty, "a verifier without an issuer")
        self.issuers.replace(issuers)
    }

    package func verify(_ token: String) async throws(TokenError) -> Identity {
        do {
            let identity = try await judge(token)
            metrics.accepted.increment()
            return identity
        } catch {
            (error.isTemporary ? metrics.unavailable : metrics.refused).increment()
            throw error
        }
    }

    private enum Judgement: Sendable {
        case good(Identity)
        case refused(TokenError)
        /// The key is not among those that this issuer is known to have. `issuedAt` is the token's own word, in milliseconds
        /// since 1970; 0 where it does not say.
        case unknownKey(KeySource, version: Int, issuedAt: Int64)
    }

    private func judge(_ token: String) async throws(TokenError) -> Identity {
        // Before it waits in the line, so that what is long takes no memory there.
        try SignedToken.checkLength(of: token)
        var judgement = try await desk.check { look(at: token) }
        if case .unknownKey(let keys, let version, _) = judgement {
            switch await keys.renewed(after: version) {
            case .renewed: judgement = try await desk.check { look(at: token) }
            case .tooSoon: break
            case .failed: throw TokenError("the issuer's keys cannot be had just now", isTemporary: true)
            }
        }
        switch judgement {
        case .good(let identity): return identity
        case .refused(let error): throw error
        case .unknownKey(let keys, _, let issuedAt):
            guard keys.areKnown else { throw TokenError("the issuer's keys cannot be had just now", isTemporary: true) }
            // Issued since they were read, it may be signed with one that was not among them yet. That anybody can write so
            // into a token gets him no more than this word.
            if let age = keys.age, issuedAt > now() - age.milliseconds {
                throw TokenError("the token's key is newer than the keys that were read; try again", isTemporary: true)
            }
            throw TokenError("the token's key is not known")
        }
    }

    private func look(at token: String) -> Judgement {
        do throws(TokenError) {
            let token = try SignedToken(token)
            let issuer = try issuer(of: token)
            let rules = issuer.rules
            guard let algorithm = SignatureAlgorithm(rawValue: token.algorithm), issuer.algorithms.contains(algorithm)
            else {
                let names = issuer.algorithms.map(\.rawValue).sorted().joined(separator: ", ")
                throw TokenError("the token is not signed with \(names)")
            }
            let (known, version) = issuer.keys.latest
            let unknown = {
                Judgement.unknownKey(issuer.keys, version: version, issuedAt: rules.issue(of: token.payload))
            }
            guard let keys = known else { return unknown() }
            switch keys.candidates(id: token.keyId, algorithm: algorithm) {
            case .unknown: return unknown()
            case .unfit: throw TokenError("the token's key does not sign with \(algorithm.rawValue)")
            case .some(let keys):
                guard keys.contains(where: { $0.hasSigned(token.signed, token.signature, by: algorithm) }) else {
                    throw TokenError("the token's signature is wrong")
                }
            }
            guard let claims = TokenClaims(token.payload, names: rules.names) else {
                throw TokenError("the token cannot be read")
            }
            return .good(try rules.identity(of: claims, now: now()))
        } catch {
            return .refused(error)
        }
    }

    /// The one whose name the token bears: a word of the token's own, which decides no more than whose keys it is held to.
    private func issuer(of token: SignedToken) throws(TokenError) -> TokenIssuer {
        let issuers = issuers.now
        if issuers.count == 1 { return issuers[0] }
        guard let claims = TokenClaims(token.payload, names: ClaimNames()) else {
            throw TokenError("the token cannot be read")
        }
        guard case .value(let name) = claims.iss,
            let issuer = issuers.first(where: { $0.rules.issuer?.utf8.elementsEqual(name.utf8) ?? false })
        else { throw TokenError("the token's iss is not one of the expected ones") }
        return issuer
    }
}

/// What became of tokens.
private struct TokenMetrics: Sendable {
    let accepted, refused, unavailable: Counter

    init(factory: any MetricsFactory) {
        func counter(_ result: String) -> Counter {
            Counter(label: "martlet_tokens_checked_total", dimensions: [("result", result)], factory: factory)
        }
        accepted = counter("accepted")
        refused = counter("refused")
        unavailable = counter("unavailable")
    }
}
