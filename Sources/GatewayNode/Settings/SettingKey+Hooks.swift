import GatewayCore
import Webhooks

extension SettingKey {
    /// The keys of `hooks`.
    static let hooks = [
        SettingKey(
            "hooks.authorize.url", \.hook.url, .optional("URL", check: SettingCheck.hookURL), isSecret: true,
            """
            The backend that decides who is let in, and by room rules (authorize) who joins and publishes: asked by a POST for \
            each connection. https; http in networks of your own alone. The page Authorize tells of questions and answers.
            """),
        SettingKey(
            "hooks.authorize.caFile", \.hook.authorityFile, .optional("PEM file", check: SettingCheck.authorities),
            "Authorities of your own, trusted beside the system's, for that URL."),
        SettingKey(
            "hooks.authorize.secret", \.hook.secrets, .list("secrets", check: SettingCheck.secret),
            shownAs: "\"\"", isSecret: true,
            """
            What questions are signed with, as webhooks are (Martlet-Signature), so that the backend can tell who asks; two \
            while it is changed.
            """),
        SettingKey(
            "hooks.authorize.timeout", \.hook.timeout, .duration(.milliseconds(50)...(.seconds(30))),
            "How long a question may wait for its answer, from the moment at which it is asked."),
        SettingKey(
            "hooks.authorize.onFailure", \.hook.onFailure, .choice,
            """
            What becomes of a client where the backend does not answer: refused (4503, unavailable), or let pass where it is \
            known without it, by a token, or in a room by what it is let in as. /readyz says so then.
            """),
        SettingKey(
            "hooks.authorize.headers", \.hook.headers, .list("names of headers", check: SettingCheck.passedHeader),
            """
            The headers of the handshake that the backend is told. With Cookie a session of the site is enough, and no token is \
            needed; client.origins must then name the pages that may connect, since browsers send cookies from all.
            """),
        SettingKey(
            "hooks.authorize.concurrency", \.hook.concurrency, .integer(1...1000),
            "How many questions a node has under way at once; others wait in line, no longer than the timeout."),
        SettingKey(
            "hooks.format", \.hook.format, .choice,
            """
            How questions are spelled: martlet, or centrifugo for a backend made for its connect, subscribe and publish proxies; \
            /connect, /subscribe and /publish are then added to the URL.
            """),
    ]
}

extension SettingCheck {
    /// The answer holds no part of the URL, which may contain a password.
    static func hookURL(_ text: String) -> String? {
        guard let url = WebhookURL(text) else { return "is no http:// or https:// URL" }
        guard !url.isSecure, let address = AddressGuard.literal(url.host) else { return nil }
        return AddressGuard.isPrivate(address.description) ? nil : "leads by http to a public address: use https"
    }

    /// A header that says something of the client, and not of the connection (RFC 9110, section 7.6.1).
    static func passedHeader(_ text: String) -> String? {
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard isName, (1...100).contains(text.utf8.count) else { return "holds what is no name of a header" }
        let name = text.lowercased()
        let own = [
            "connection", "upgrade", "host", "content-length", "content-type", "transfer-encoding", "te", "expect",
        ]
        guard !own.contains(name), !name.hasPrefix("sec-websocket-"), name != "martlet-signature" else {
            return "holds \(name), which is not passed on"
        }
        return nil
    }
}

extension SettingsReader {
    /// What spans the keys of the backend that is asked.
    mutating func decideHook() throws(SettingsError) {
        let hook = settings.hook
        guard let url = hook.url else { return try decideWithoutHook() }
        guard hook.secrets.count <= 2 else {
            throw SettingsError(
                "hooks.authorize.secret holds more than two: the old one and the new one are what a change needs")
        }
        if hook.secrets.isEmpty {
            warnings.append(
                "hooks.authorize.secret is not set (MARTLET_HOOKS_AUTHORIZE_SECRET): the backend cannot tell who asks it"
            )
        }
        guard Set(hook.headers.map { $0.lowercased() }).count == hook.headers.count else {
            throw SettingsError("hooks.authorize.headers holds the same name twice")
        }
        if hook.passCookies, !settings.areOriginsWritten || settings.origins.contains("*") {
            throw SettingsError(
                """
                client.origins must name the pages that may connect (MARTLET_CLIENT_ORIGINS), since \
                hooks.authorize.headers holds Cookie, which browsers send from every page
                """)
        }
        if hook.format == .centrifugo, url.contains("?") {
            throw SettingsError("hooks.authorize.url has a query, behind which hooks.format centrifugo can add nothing")
        }
        if hook.format == .centrifugo, WebhookURL(url)?.credentials != nil {
            throw SettingsError(
                """
                hooks.authorize.url has a user and a password, which go as Authorization, where hooks.format centrifugo has \
                the client's
                """)
        }
        if hook.onFailure == .allow {
            warnings.append(
                "hooks.authorize.onFailure is allow: while the backend does not answer, whoever is known is let pass")
        }
    }

    private mutating func decideWithoutHook() throws(SettingsError) {
        if settings.auth.mode == .hook {
            throw SettingsError("hooks.authorize.url is missing: auth.mode hook needs it (MARTLET_HOOKS_AUTHORIZE_URL)")
        }
        if let index = settings.rooms.rules.firstIndex(where: { !$0.asked.isEmpty }) {
            throw SettingsError("rooms[\(index)].authorize needs hooks.authorize.url (MARTLET_HOOKS_AUTHORIZE_URL)")
        }
        if !settings.hook.secrets.isEmpty {
            warnings.append("hooks.authorize.secret has no effect: there is no hooks.authorize.url")
        }
    }
}
