/// The explained configuration file, written from the key table: every key with its default, taken out by a `#`.
package enum SettingsTemplate {
    /// The whole file, ending with a line feed; as it stands it changes no default.
    package static var yaml: String {
        var lines = [
            "# Martlet's settings. Every key is shown with its default: take the # away from a line to change it.",
            "# Each can be given by the environment variable named beside it too, which then wins; those of secrets",
            "# with _FILE at the end name a file that holds the value. `martlet config` prints this file.",
        ]
        var group: Substring = ""
        for key in SettingKey.all {
            let parts = key.path.split(separator: ".", maxSplits: 1)
            let indent = parts.count == 1 ? "" : "  "
            let here = parts.count == 1 ? "" : parts[0]
            lines.append("")
            if here != group {
                lines += lists[String(group)] ?? []
                if !here.isEmpty { lines.append("\(here):") }
            }
            group = here
            lines += wrap(key.doc, to: 110).map { "\(indent)# \($0)" }
            let variables = "\(key.variable)\(key.isSecret ? " or \(key.variable)_FILE" : "")"
            lines += wrap("\(key.words); \(variables)", to: 118 - indent.count).map { "\(indent)# \($0)" }
            lines.append("\(indent)#\(parts.last ?? ""): \(key.defaultText)")
        }
        return (lines + rooms).joined(separator: "\n") + "\n"
    }

    /// Lists at the end of their groups.
    private static let lists = [
        "auth": [
            "  # Where several sign tokens, each with keys of its own; a token's iss says whose it is. An entry has issuer, one of",
            "  # secret, keyFile and jwks, and, where they differ from those above, audience, audienceClaim, algorithms, userClaim",
            "  # and infoClaims. This list has no variable.",
            "  #issuers:",
            "  #  - issuer: https://example.eu.auth0.com/",
            "  #    audience: https://gateway.example",
            "  #    jwks: https://example.eu.auth0.com/.well-known/jwks.json",
            "  #  - issuer: backend",
            "  #    keyFile: /etc/martlet/backend.pem",
            "",
        ],
        "pusher": [
            "  # Several apps, in place of the one above. The first shares rooms and users with native clients; those of a further",
            "  # one are its own. An entry has id, key, secret (or secrets, two while one is changed), and, where it differs,",
            "  # clientEvents (true), subscriptionCount (false: whether the subscribers of a channel, but of a presence channel, are",
            "  # told how many they are), origins (those of client.origins), maxConnections (0: any number, on each node), rate",
            "  # (calls of its backend in a second on each node, above which it gets 429; 0: as many as come), webhooks (who is told",
            "  # of its events, as behind webhooks.url with format=pusher). This list has no variable.",
            "  #apps:",
            "  #  - id: \"1\"",
            "  #    key: shop",
            "  #    secret: a-secret-of-16-bytes-or-more",
            "  #  - id: \"2\"",
            "  #    key: forum",
            "  #    secrets: [the-old-secret-of-it, the-new-secret-of-it]",
            "  #    clientEvents: false",
            "  #    origins: [https://forum.example]",
            "  #    rate: 200",
            "  #    webhooks: [\"https://forum.example/hooks channel_occupied channel_vacated\"]",
            "",
        ],
    ]

    private static let rooms = [
        "",
        "# What holds for rooms by their name; the first pattern that matches wins, * stands for any characters.",
        "# allow: what clients may do whose token says nothing of rooms; left out, all four.",
        "# outside: which of presence and history they may have without being in the room; left out, neither. A token that grants",
        "# one of them and not join has it from outside too, as an observer's.",
        "# allowGuests: which of join and history guests have (auth.guests), and an app's clients unsigned; left out, guests have",
        "# neither, and of an app's clients pusher.publicRooms says it.",
        "# authorize: for which of join and publish the backend at hooks.authorize.url is asked first; left out, for neither.",
        "# presence: full counts, lists and tells of members; off, for rooms that many pass through; left out, full.",
        "# webhook: whether message.published tells webhooks.url of each message; left out, it does not.",
        "# stream: whether each message goes into a Redis stream for consumers of your own; left out, none does.",
        "# archive: whether each message is kept in the database at archive.url, by martlet archive; left out, none is.",
        "# durability: replicated, where a publish is acknowledged only once a replica of Redis has it too.",
        "# log: how much is kept; left out, it and durability are what log.size, log.bytes, log.age and log.durability say.",
        "# This list has no variable.",
        "#rooms:",
        "#  - pattern: \"lesson-*\"",
        "#    allow: [join, publish, presence, history]",
        "#    log: {size: 1000, bytes: 4MiB, age: 24h}",
        "#    archive: true",
        "#  - pattern: \"orders.*\"",
        "#    webhook: true",
        "#    stream: true",
        "#  - pattern: \"news.*\"",
        "#    allow: [join, history]",
        "#    outside: [history]",
        "#    presence: off",
    ]

    private static func wrap(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count + 1 > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return lines + [line]
    }
}
