import Crypto
import Foundation
import GatewayCore

extension SettingKey {
    /// The keys of `turn`.
    static let turn = [
        SettingKey(
            "turn.urls", \.turn.urls, .list("turn:, turns: and stun: URLs", check: SettingCheck.turnURL),
            """
            The TURN servers that clients are given credentials for, as browsers take them: \
            [turn:turn.example.org:3478?transport=udp, turns:turn.example.org:5349].
            """),
        SettingKey(
            "turn.secret", \.turn.secret, .optional("text", check: SettingCheck.secret), isSecret: true,
            "The secret that those servers share with the gateway: coturn's static-auth-secret, with use-auth-secret."),
        SettingKey(
            "turn.ttl", \.turn.life, .duration(.seconds(60)...(.seconds(168 * 3600))),
            "For how long credentials are good; a call that has begun goes on beyond it."),
    ]
}

extension SettingCheck {
    /// RFC 7064 and 7065, as far as browsers take them.
    static func turnURL(_ text: String) -> String? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ["turn", "turns", "stun", "stuns"].contains(parts[0]) else {
            return "is no URL that begins with turn:, turns:, stun: or stuns:"
        }
        let rest = parts[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let isHost = rest[0].utf8.allSatisfy { isWordByte($0) || [0x3A, 0x5B, 0x5D].contains($0) }
        guard !rest[0].isEmpty, isHost, rest.count == 1 || ["transport=udp", "transport=tcp"].contains(rest[1]) else {
            return "is no URL such as turn:turn.example.org:3478?transport=udp"
        }
        return nil
    }
}

extension SettingsReader {
    /// What spans the keys of TURN.
    mutating func decideTurn() throws(SettingsError) {
        let turn = settings.turn
        if turn.urls.isEmpty, turn.secret != nil {
            warnings.append("turn.secret has no effect: there are no turn.urls")
        }
        if !turn.urls.isEmpty, turn.secret == nil {
            throw SettingsError(
                "turn.secret is missing: turn.urls needs it (MARTLET_TURN_SECRET), since credentials are signed with it"
            )
        }
    }
}

extension Settings {
    /// Nil where there are none.
    package var turnServers: TurnServers? {
        guard !turn.urls.isEmpty, let secret = turn.secret else { return nil }
        let key = SymmetricKey(data: Data(secret.utf8))
        return TurnServers(urls: turn.urls, life: turn.life) { name in
            Data(HMAC<Insecure.SHA1>.authenticationCode(for: Data(name.utf8), using: key)).base64EncodedString()
        }
    }
}
