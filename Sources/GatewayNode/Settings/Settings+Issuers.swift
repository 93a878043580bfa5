import Foundation
import GatewayCore
import NIOSSL
import Webhooks

extension Settings.Issuer {
    /// Which of its sources of keys are given; it may have one.
    var sources: [String] {
        [("secret", !secrets.isEmpty), ("keyFile", keyFile != nil), ("jwks", jwks != nil)]
            .compactMap { $0.1 ? $0.0 : nil }
    }

    var hasKeys: Bool { !sources.isEmpty }

    /// Whether the keys lie at a URL.
    var isRemote: Bool { jwks?.contains("://") ?? false }

    /// The keys, where they lie on this machine; nil where a URL has them.
    func localKeys() throws(KeyProblem) -> KeySet? {
        if !secrets.isEmpty { return KeySet(secrets: secrets) }
        if let keyFile { return try KeySet(pem: Settings.Issuer.text(of: keyFile)) }
        if let jwks, !isRemote { return try KeySet(jwks: Settings.Issuer.text(of: jwks).utf8) }
        return nil
    }

    private static func text(of path: String) throws(KeyProblem) -> String {
        do throws(SettingsError) {
            return try SmallFile.text(of: path, limit: KeySet.maxBytes, called: "")
        } catch {
            throw KeyProblem(String(error.description.dropFirst(2)))
        }
    }

    /// What is believed: what the settings say, else whatever is no secret's. Which of that a token's key signs with is the
    /// key's to say, since other kinds may come with the next reading.
    var believed: Set<SignatureAlgorithm> {
        if !algorithms.isEmpty { return Set(algorithms) }
        if !secrets.isEmpty { return [.hs256] }
        return Set(SignatureAlgorithm.allCases).subtracting(SignatureAlgorithm.symmetric)
    }
}

extension SettingsReader {
    /// What spans the keys of tokens, and the files that hold them.
    mutating func decideIssuers() throws(SettingsError) {
        let auth = settings.auth
        guard !auth.issuers.isEmpty else { return try check(auth.common, at: "auth") }
        let own =
            auth.common.sources + (auth.common.name == nil ? [] : ["issuer"])
            + (auth.common.audience == nil ? [] : ["audience"])
        if let name = own.first {
            throw SettingsError("auth.\(name) has no place beside auth.issuers: each of those says its own")
        }
        for (index, issuer) in auth.issuers.enumerated() {
            guard !auth.issuers[..<index].contains(where: { $0.name == issuer.name }) else {
                throw SettingsError("auth.issuers[\(index)].issuer is that of another entry too")
            }
            try check(issuer, at: "auth.issuers[\(index)]")
        }
    }

    private mutating func check(_ issuer: Settings.Issuer, at place: String) throws(SettingsError) {
        let sources = issuer.sources
        guard let source = sources.first else {
            let variable = place == "auth" ? " (MARTLET_AUTH_SECRET)" : ""
            throw SettingsError(
                "\(place).secret is missing: auth.mode jwt needs it, or keyFile or jwks in its place\(variable)")
        }
        guard sources.count == 1 else {
            throw SettingsError("\(place) has \(sources.joined(separator: " and ")): its keys come from one of them")
        }
        try checkSecrets(issuer.secrets, at: place)
        let keys: KeySet?
        do throws(KeyProblem) {
            keys = try issuer.localKeys()
        } catch {
            throw SettingsError("\(place).\(source) \(error)")
        }
        for algorithm in issuer.algorithms {
            guard algorithm.isSymmetric == (source == "secret") else {
                throw SettingsError(
                    "\(place).algorithms holds \(algorithm.rawValue), which "
                        + (algorithm.isSymmetric
                            ? "needs a secret: whoever reads a public key could sign with it"
                            : "no secret signs with: it needs keyFile or jwks"))
            }
        }
        let believed = issuer.believed
        guard keys.map({ !$0.algorithms.isDisjoint(with: believed) }) ?? true else {
            throw SettingsError("\(place).algorithms fits none of the keys in \(place).\(source)")
        }
    }

    private mutating func checkSecrets(_ secrets: [String], at place: String) throws(SettingsError) {
        guard secrets.count <= 2 else {
            throw SettingsError(
                "\(place).secret holds more than two: the old one and the new one are what a change needs")
        }
        guard secrets.contains(where: { $0.utf8.count < KeyStrength.leastSigningBytes }) else { return }
        let problem = "\(place).secret is shorter than \(KeyStrength.leastSigningBytes) bytes"
        guard LoopbackFence.isLoopback(boundHost: settings.client.host) else {
            throw SettingsError(
                """
                \(problem), and client.host \(settings.client.host) can be reached from elsewhere; \
                \(KeyStrength.remedy)\(place == "auth" ? " (MARTLET_AUTH_SECRET)" : "")
                """)
        }
        warnings.append("\(problem): what signs with HS256 should be as long as its hash")
    }
}

extension Settings {
    /// Those whose tokens are believed, with their keys; none without `auth.mode` jwt.
    ///
    /// - Parameters:
    ///   - fetch: how keys at a URL are had.
    ///   - known: those that are known of a URL, which serve until they are read again.
    package func issuers(
        fetch: @escaping @Sendable (_ url: String) async throws(KeyProblem) -> KeySet,
        known: (_ url: String) -> KeySet? = { _ in nil },
        now: @escaping @Sendable () -> MonotonicTime
    ) throws(KeyProblem) -> [TokenIssuer] {
        guard auth.mode == .jwt else { return [] }
        let isOne = auth.issuers.isEmpty
        var issuers: [TokenIssuer] = []
        for (index, issuer) in (isOne ? [auth.common] : auth.issuers).enumerated() {
            let name = "\(isOne ? "auth" : "auth.issuers[\(index)]").\(issuer.sources.first ?? "secret")"
            let keys = try issuer.localKeys()
            let source: KeySource
            if let url = issuer.jwks, issuer.isRemote {
                source = KeySource(name: name, url: url, keys: known(url), rules: .remote, now: now) {
                    () throws(KeyProblem) in try await fetch(url)
                }
            } else if let keys, issuer.secrets.isEmpty {
                source = KeySource(name: name, keys: keys, rules: .local, now: now) { () throws(KeyProblem) in
                    guard let keys = try issuer.localKeys() else { throw KeyProblem("has gone") }
                    return keys
                }
            } else {
                source = KeySource(keys ?? KeySet([]), name: name)
            }
            issuers.append(
                TokenIssuer(
                    name: issuer.name, audience: issuer.audience, algorithms: issuer.believed, keys: source,
                    names: issuer.names, leeway: client.limits.leeway))
        }
        return issuers
    }

    /// The certificates that are trusted beside the system's where keys come from URLs.
    func tokenAuthorities() throws -> [NIOSSLCertificate] {
        guard let file = auth.authorityFile else { return [] }
        return try NIOSSLCertificate.fromPEMFile(file)
    }
}
