import GatewayCore
import GatewayNode
import Testing

@Suite("TURN servers")
struct SettingsTurnTests {
    private static let secret = "0123456789abcdef0123456789abcdef"
    private static let urls = "turn:turn.example.org:3478?transport=udp, turns:[2001:db8::7]:5349"

    /// Computed by `openssl dgst -sha1 -hmac SECRET -binary | base64`, and by Python's `hmac`.
    @Test(arguments: [
        (secret, "alice", "1700003600:alice", "HUgaepYTXVnvj1Vo97U6+hBbmH4="),
        ("north-of-the-river", "auth0|7", "1700003600:auth0|7", "MdUcD9PVsSw7A1torbslbLJI7jU="),
        (secret, "zoë:1", "1700003600:zoë:1", "WvZLWSL48vXZbxngSLGZXK+Sywc="),
    ])
    func `credentials are those that coturn computes by the same secret`(
        secret: String, user: String, name: String, credential: String
    ) throws {
        let settings = try load(nil, ["MARTLET_TURN_URLS": Self.urls, "MARTLET_TURN_SECRET": secret]).settings
        let servers = try #require(settings.turnServers)
        let credentials = servers.credentials(for: UserID(unchecked: user), now: 1_700_000_000_999)
        #expect(
            credentials
                == TurnCredentials(
                    urls: ["turn:turn.example.org:3478?transport=udp", "turns:[2001:db8::7]:5349"], username: name,
                    credential: credential, seconds: 3600))
    }

    @Test func `their life is that of the setting, and without servers there are none`() throws {
        let settings = try load(
            "turn: { urls: ['turn:t.example'], secret: \(Self.secret), ttl: 5m }"
        ).settings
        let credentials = settings.turnServers?.credentials(for: UserID(unchecked: "a"), now: 1_700_000_000_000)
        #expect(credentials?.username == "1700000300:a" && credentials?.seconds == 300)
        #expect(settings.socketConfiguration(authentication: .none).turn?.urls == ["turn:t.example"])
        #expect(settings.controlConfiguration.turn?.urls == ["turn:t.example"])
        #expect(try load().settings.turnServers == nil)
        let alone = try load(nil, ["MARTLET_TURN_SECRET": Self.secret])
        #expect(alone.warnings == ["turn.secret has no effect: there are no turn.urls"])
    }

    @Test(arguments: [
        ("http://t.example", Self.secret, "is no URL that begins with turn:"),
        ("turn:", Self.secret, "is no URL such as"), ("turn:a/b", Self.secret, "is no URL such as"),
        ("turn:a?transport=tls", Self.secret, "is no URL such as"),
        ("turn:t.example", "", "turn.secret is missing"), ("turn:t.example", "hunter2", "is shorter than 16 bytes"),
    ])
    func `what cannot work is refused, without the secret`(urls: String, secret: String, problem: String) throws {
        let error = try #require(throws: SettingsError.self) {
            try load(nil, ["MARTLET_TURN_URLS": urls, "MARTLET_TURN_SECRET": secret])
        }
        #expect("\(error)".contains(problem), "\(error)")
        #expect(secret.isEmpty || !"\(error)".contains(secret))
    }
}
