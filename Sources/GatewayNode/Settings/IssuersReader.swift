import Yams

/// Reads the list `auth.issuers`: entries of `issuer`, `audience`, `algorithms`, one of `secret`, `keyFile` and `jwks`, and
/// what the issuer's claims are called.
struct IssuersReader {
    let file: SettingsFile
    /// What holds for an entry that does not say otherwise.
    let common: Settings.Issuer

    private static let known = [
        "issuer", "audience", "audienceClaim", "algorithms", "secret", "keyFile", "jwks", "userClaim", "infoClaims",
    ]

    func issuers() throws(SettingsError) -> [Settings.Issuer] {
        var issuers: [Settings.Issuer] = []
        for (index, node) in file.issuers.enumerated() {
            issuers.append(try issuer(node, at: "auth.issuers[\(index)]"))
        }
        return issuers
    }

    private func issuer(_ node: Yams.Node, at place: String) throws(SettingsError) -> Settings.Issuer {
        let fields = try file.fields(of: node, at: place, known: IssuersReader.known)
        var issuer = Settings.Issuer()
        issuer.algorithms = common.algorithms
        issuer.names = common.names
        func read<Value>(
            _ name: String, _ kind: SettingKind<Value>, isSecret: Bool = false
        ) throws(SettingsError) -> Value? {
            guard let field = fields[name] else { return nil }
            return try file.item(field, at: "\(place).\(name)", kind, isSecret: isSecret)
        }
        guard let name = try read("issuer", .optional("text")) ?? nil else {
            throw file.refusal(of: place, at: node, "has no issuer, by which its tokens are known")
        }
        issuer.name = name
        issuer.audience = try read("audience", .optional("text")) ?? nil
        if let algorithms = try read("algorithms", SettingKey.algorithms) { issuer.algorithms = algorithms }
        issuer.secrets = try read("secret", .list("secrets", check: SettingCheck.secret), isSecret: true) ?? []
        issuer.keyFile = try read("keyFile", .optional("PEM file")) ?? nil
        issuer.jwks = try read("jwks", .optional("file or https URL", check: SettingCheck.jwks)) ?? nil
        let claim = SettingKind<String>.text("name of a claim", check: SettingCheck.claim)
        if let claim = try read("audienceClaim", claim) { issuer.names.audience = claim }
        if let claim = try read("userClaim", claim) { issuer.names.user = claim }
        if let claims = try read("infoClaims", .list("names of claims", check: SettingCheck.claim)) {
            issuer.names.info = claims
        }
        return issuer
    }
}
