import GatewayNode
import Testing

@Suite("Settings of the backend that is asked")
struct SettingsHookTests {
    private static let url = "https://backend.example/martlet"

    private static func load(_ variables: [String: String], _ yaml: String? = nil) throws -> (
        settings: Settings, warnings: [String]
    ) {
        var all: [String: String] = [:]
        for (name, value) in variables { all["MARTLET_\(name)"] = value }
        return try GatewayNodeTests.load(yaml, all)
    }

    @Test func `its keys are read, in the file too`() throws {
        let settings = try Self.load(
            [:],
            """
            auth: {mode: hook}
            client: {origins: ["https://app.example"]}
            hooks:
              format: centrifugo
              authorize:
                url: "\(Self.url)"
                secret: 0123456789abcdef
                timeout: 500ms
                onFailure: allow
                headers: [Cookie, X-Session]
                concurrency: 8
            rooms: [{pattern: "hall*", authorize: [join, publish]}]
            """
        ).settings
        #expect(settings.hook.url == Self.url && settings.hook.secrets == ["0123456789abcdef"])
        #expect(settings.hook.timeout == .milliseconds(500) && settings.hook.onFailure == .allow)
        #expect(settings.hook.headers == ["Cookie", "X-Session"] && settings.hook.concurrency == 8)
        #expect(settings.hook.format == .centrifugo)
        #expect(settings.rooms.rules.first?.asked == [.join, .publish])
        #expect(settings.auth.mode == .hook)
    }

    @Test func `what protects less is said`() throws {
        let warnings = try Self.load([
            "HOOKS_AUTHORIZE_URL": Self.url, "HOOKS_AUTHORIZE_ON_FAILURE": "allow",
        ]).warnings
        #expect(warnings.contains { $0.contains("hooks.authorize.secret is not set") })
        #expect(warnings.contains { $0.contains("onFailure is allow") })
        let idle = try Self.load(["HOOKS_AUTHORIZE_SECRET": "0123456789abcdef"]).warnings
        #expect(idle == ["hooks.authorize.secret has no effect: there is no hooks.authorize.url"])
    }

    @Test func `http is for networks of one's own`() throws {
        for good in [
            "http://127.0.0.1:3000/h", "http://10.0.0.5/h", "http://[::1]/h", "http://backend:3000/h", Self.url,
        ] {
            _ = try Self.load(["HOOKS_AUTHORIZE_URL": good])
        }
        for bad in ["http://93.184.216.34/h", "http://0x5db8d822/", "ftp://a.example/", "backend.example"] {
            #expect(throws: SettingsError.self, "\(bad)") { try Self.load(["HOOKS_AUTHORIZE_URL": bad]) }
        }
    }

    @Test(
        arguments: [
            (["AUTH_MODE": "hook"], "hooks.authorize.url is missing"),
            (["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_HEADERS": "Cookie"], "client.origins must name"),
            (
                ["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_HEADERS": "cookie", "CLIENT_ORIGINS": "*"],
                "client.origins must name"
            ),
            (["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_HEADERS": "Host"], "which is not passed on"),
            (["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_HEADERS": "Origin, origin"], "the same name twice"),
            (["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_HEADERS": "X Y"], "no name of a header"),
            (["HOOKS_AUTHORIZE_URL": url, "HOOKS_AUTHORIZE_SECRET": "short"], "shorter than 16 bytes"),
            (
                [
                    "HOOKS_AUTHORIZE_URL": url,
                    "HOOKS_AUTHORIZE_SECRET": "0123456789abcdef,1123456789abcdef,2123456789abcdef",
                ], "more than two"
            ),
            (["HOOKS_AUTHORIZE_URL": "\(url)?a=b", "HOOKS_FORMAT": "centrifugo"], "has a query"),
            (
                ["HOOKS_AUTHORIZE_URL": "https://u:p@backend.example/m", "HOOKS_FORMAT": "centrifugo"],
                "has a user and a password"
            ),
        ] as [([String: String], String)]) func `what cannot work is refused`(
            variables: [String: String], problem: String
        ) throws
    {
        let error = try #require(throws: SettingsError.self) { try Self.load(variables) }
        #expect(error.description.contains(problem), "\(error)")
        #expect(!error.description.contains("backend.example"))
    }

    @Test func `a rule that nobody could be asked by is refused`() throws {
        let error = try #require(throws: SettingsError.self) {
            try Self.load([:], "rooms: [{pattern: a}, {pattern: b, authorize: [join]}]")
        }
        #expect(error.description.contains("rooms[1].authorize needs hooks.authorize.url"))
        #expect(throws: SettingsError.self) {
            try Self.load(
                ["HOOKS_AUTHORIZE_URL": Self.url], "rooms: [{pattern: b, authorize: [history]}]")
        }
    }
}
