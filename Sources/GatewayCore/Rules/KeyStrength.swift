/// The strength of a secret against guessing, as far as its text shows it.
package enum KeyStrength {
    /// Below it an API key or the secret of webhooks can be tried out.
    package static let leastKeyBytes = 16
    /// Below it what signs with HS256 is weaker than the hash (RFC 7518, section 3.2).
    package static let leastSigningBytes = 32
    /// What makes one that is strong enough for all of these.
    package static let remedy = "make one with: openssl rand -hex 32"

    /// Keys that stand in manuals and examples, and first in the list of whoever tries; in lower case.
    private static let wellKnown: Set<String> = [
        "admin", "change-me", "changeme", "default", "demo", "dev", "example", "key", "local", "martlet", "password",
        "secret", "test", "token", "change-me-change-me", "changemechangeme", "insert-your-key-here",
        "passwordpassword",
        "secretsecretsecret", "your-api-key-here", "your-secret-key-here",
    ]

    /// Those, as they may have been hashed.
    package static let guesses = wellKnown.flatMap { key in
        [key, key.uppercased(), key.prefix(1).uppercased() + key.dropFirst()]
    }

    /// What is wrong with an API key that others than this machine can try, worded to follow `api.key`; nil where nothing is.
    package static func problem(withAPIKey key: String) -> String? {
        if wellKnown.contains(key.lowercased()) { return "is well known" }
        return key.utf8.count < leastKeyBytes ? "is shorter than \(leastKeyBytes) bytes" : nil
    }
}
