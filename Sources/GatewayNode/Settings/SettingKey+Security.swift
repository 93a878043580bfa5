extension SettingKey {
    /// The keys that say who may connect, and with which certificates the ports speak TLS.
    static let clientTLS = [
        SettingKey(
            "client.tls.certificateFile", \.clientTLS.certificateFile, .optional("PEM file"),
            """
            Makes the port speak TLS (wss://), 1.2 and 1.3: its certificate, and behind it those that lead to the \
            authority. Files that change are read again within a minute, on SIGHUP at once; connections that are open \
            go on. Sends past TLS are not possible, so that a message costs more than behind a proxy that does it.
            """),
        SettingKey(
            "client.tls.keyFile", \.clientTLS.keyFile, .optional("PEM file"),
            "The private key of that certificate, without a passphrase."),
    ]

    static let apiTLS = [
        SettingKey(
            "api.tls.certificateFile", \.apiTLS.certificateFile, .optional("PEM file"),
            "The same as client.tls.certificateFile, of the port for backends."),
        SettingKey(
            "api.tls.keyFile", \.apiTLS.keyFile, .optional("PEM file"),
            "The private key of that certificate, without a passphrase."),
        SettingKey(
            "api.tls.clientCaFile", \.apiTLS.clientAuthorityFile, .optional("PEM file"),
            """
            The authorities whose certificates clients must show, beside the key, for /v1 and /console; /healthz, \
            /readyz and /metrics take none.
            """),
    ]

    static let auth = [
        SettingKey(
            "auth.mode", \.auth.mode, .choice,
            """
            Whether clients must show a token: none; jwt, one that is checked here; or hook, where hooks.authorize.url decides by \
            whatever they show, and a token is passed on unread. Left out it is none, but only where client.host is this \
            machine alone; otherwise it must be said.
            """),
        SettingKey(
            "auth.guests", \.client.takesGuests, .boolean,
            """
            Whether a client that shows no token (with auth.mode none, no userId; with hooks.authorize.url, one that is \
            allowed without a user) is let in as a guest. It gets what is sent to everyone (*), and of rooms what allowGuests \
            in their rule says.
            """),
        SettingKey(
            "auth.secret", \.auth.common.secrets, .list("secrets", check: SettingCheck.secret),
            shownAs: "\"\"", isSecret: true,
            """
            What tokens are signed with, where issuer and gateway share a secret (HS256); two while it is changed. Where \
            client.host can be reached from elsewhere one below 32 bytes is refused, since whoever guesses it is anybody: \
            openssl rand -hex 32 makes a good one.
            """),
        SettingKey(
            "auth.keyFile", \.auth.common.keyFile, .optional("PEM file"),
            """
            In place of a secret: the issuer's public keys or certificates, four at most. A file that changed is read \
            again within a minute.
            """),
        SettingKey(
            "auth.jwks", \.auth.common.jwks, .optional("file or https URL", check: SettingCheck.jwks),
            """
            In place of a secret: the issuer's key set, as Auth0, Keycloak, Firebase, Supabase or Cognito show it. A URL \
            is read every ten minutes, and when a token names a key that is not in it, once a minute at most; while it \
            cannot be read the keys of before serve.
            """),
        SettingKey(
            "auth.caFile", \.auth.authorityFile, .optional("PEM file", check: SettingCheck.authorities),
            "Authorities of your own, trusted beside the system's, for URLs of auth.jwks."),
        SettingKey(
            "auth.algorithms", \.auth.common.algorithms, SettingKey.algorithms,
            """
            The signatures that are believed; whatever else a token says of itself is refused. Left out: HS256 of a \
            secret, of keys all that they can make.
            """),
        SettingKey(
            "auth.issuer", \.auth.common.name, .optional("text"),
            "What a token's iss must be; left out, it is not looked at."),
        SettingKey(
            "auth.audience", \.auth.common.audience, .optional("text"),
            """
            What a token's aud must be or contain; left out, it is not looked at. Where an issuer signs for others too, \
            theirs open this gateway then.
            """),
        SettingKey(
            "auth.audienceClaim", \.auth.common.names.audience, .text("name of a claim", check: SettingCheck.claim),
            "Where auth.audience is looked for: aud, or what stands in its place, as client_id in Cognito's access tokens."
        ),
        SettingKey(
            "auth.userClaim", \.auth.common.names.user, .text("name of a claim", check: SettingCheck.claim),
            "The claim that names the user."),
        SettingKey(
            "auth.infoClaims", \.auth.common.names.info, .list("names of claims", check: SettingCheck.claim),
            """
            The claims that others are shown of the user, such as [name, picture], 2048 bytes together at most; left \
            out, the claim info, an object.
            """),
        SettingKey(
            "auth.leeway", \.client.limits.leeway, .duration(.zero...(.seconds(600))),
            "How far the clocks of issuer and node may differ."),
    ]

    /// The kind that entries of `auth.issuers` share with `auth.algorithms`.
    static let algorithms = SettingKind<[SignatureAlgorithm]>.list(
        "HS, RS, PS or ES with 256, 384 or 512, EdDSA", show: \.rawValue
    ) { text throws(ValueRefusal) in try SettingKind<SignatureAlgorithm>.choice.parse(.text(text)) }
}
