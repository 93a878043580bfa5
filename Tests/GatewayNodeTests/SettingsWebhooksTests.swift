import Foundation
import GatewayCore
import GatewayNode
import Testing

@Suite("Settings of webhooks")
struct SettingsWebhooksTests {
    private static let secret = "sixteen bytes ok"

    @Test
    func `several URLs, each with its own types, by file or by variable; the start says them without their secrets`()
        throws
    {
        let yaml = """
            webhooks:
              url:
                - https://user:hunter2@a.example/hooks?token=hunter2
                - "https://b.example/ user.online user.offline"
              secret: [old-secret-of-16, new-secret-of-16]
              giveUpAfter: 1h
            """
        let settings = try load(yaml).settings
        #expect(settings.webhooks.receivers.count == 2 && settings.webhooks.secrets.count == 2)
        #expect(settings.webhooks.giveUpAfter == .seconds(3600))
        let lines = settings.summary(partitions: 64).suffix(2)
        #expect(
            Array(lines) == [
                "webhook  https://a.example/hooks, all events",
                "webhook  https://b.example/, user.offline, user.online",
            ])
        let same = try load(
            nil,
            [
                "MARTLET_WEBHOOKS_URL": "https://a.example/, https://b.example/ user.offline",
                "MARTLET_WEBHOOKS_SECRET": Self.secret,
            ])
        #expect(same.settings.webhooks.receivers.map(\.url) == ["https://a.example/", "https://b.example/"])
        #expect(same.settings.webhooks.receivers.map(\.types) == [nil, ["user.offline"]])
        #expect(same.warnings == [])
    }

    @Test(
        arguments: [
            ("ftp://a.example/hunter2", "holds what is no URL with http:// or https://"),
            (
                "https://a.example/?hunter2 user.gone",
                "holds user.gone, which is no type of event"
            ),
            ("https://a.example/?hunter2,https://a.example/?hunter2 user.online", "holds the same URL twice"),
            (
                "http://127.0.0.1:9000/?hunter2",
                "leads to 127.0.0.1, a private address, which needs webhooks.allowPrivate"
            ),
            ("http://[::1]/", "leads to ::1, a private address"), ("http://localhost/", "leads to localhost"),
            ("http://10.0.0.7/", "leads to 10.0.0.7"), ("http://0x7f.1/", "leads to 0x7f.1, a private address"),
            ("http://2130706433/", "leads to 2130706433"), ("http://a.localhost./", "leads to a.localhost."),
        ])
    func `what cannot work is refused, without showing what may be secret`(url: String, problem: String) throws {
        let error = try #require(throws: SettingsError.self) {
            try load(nil, ["MARTLET_WEBHOOKS_URL": url, "MARTLET_WEBHOOKS_SECRET": Self.secret])
        }
        #expect(error.description.contains(problem) && error.description.hasPrefix("webhooks.url"), "\(error)")
        #expect(!error.description.contains("hunter2"))
    }

    @Test func `private addresses are taken where that is said`() throws {
        let environment = [
            "MARTLET_WEBHOOKS_URL": "http://127.0.0.1:9000/", "MARTLET_WEBHOOKS_SECRET": Self.secret,
            "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true",
        ]
        #expect(try load(nil, environment).settings.webhooks.allowsPrivate)
    }

    @Test func `a file of authorities that holds none, or is not there, is refused by name`() throws {
        for file in ["/dev/null", "/nowhere/ca.pem"] {
            let error = try #require(throws: SettingsError.self) {
                try load(nil, ["MARTLET_WEBHOOKS_CA_FILE": file])
            }
            #expect(error.description.contains("webhooks.caFile"), "\(error)")
            #expect(error.description.contains("is no file that holds certificates in PEM"), "\(error)")
        }
    }

    @Test func `a URL needs a secret, two at most, none too short; a secret alone is a warning`() throws {
        let url = ["MARTLET_WEBHOOKS_URL": "https://a.example/"]
        for (secret, problem) in [
            ("", "is missing"), ("short", "shorter than 16"),
            ("\(Self.secret),\(Self.secret),\(Self.secret)", "more than two"),
        ] {
            let error = try #require(throws: SettingsError.self) {
                try load(nil, url.merging(["MARTLET_WEBHOOKS_SECRET": secret]) { $1 })
            }
            #expect(error.description.contains("webhooks.secret") && error.description.contains(problem), "\(error)")
        }
        #expect(
            try load(nil, ["MARTLET_WEBHOOKS_SECRET": Self.secret]).warnings
                == ["webhooks.secret has no effect: there is no webhooks.url"])
    }

    private static let app = [
        "MARTLET_PUSHER_APP_ID": "1", "MARTLET_PUSHER_KEY": "shop", "MARTLET_PUSHER_SECRET": "0123456789abcdef",
    ]

    @Test func `a URL in Pusher's form is told the first app's events, and needs no secret of webhooks`() throws {
        let url = "https://a.example/?b format=pusher member_removed channel_occupied"
        let settings = try load(nil, Self.app.merging(["MARTLET_WEBHOOKS_URL": url]) { $1 }).settings
        let configuration = settings.webhookConfiguration
        let receiver = try #require(configuration.receivers.first)
        #expect(receiver.url == "https://a.example/?b" && receiver.form == .pusher(app: nil))
        #expect(receiver.types == ["room.occupied", "member.left"] && configuration.apps.first?.key == "shop")
        let both = "\(url), https://a.example/?b user.online, https://c.example/ format=pusher"
        let all = Self.app.merging(["MARTLET_WEBHOOKS_URL": both, "MARTLET_WEBHOOKS_SECRET": Self.secret]) { $1 }
        let three = try load(nil, all).settings.webhookConfiguration.receivers
        #expect(three.map(\.form) == [.pusher(app: nil), .native, .pusher(app: nil)])
        #expect(Set(three.map(\.name)).count == 3 && three[2].types?.count == 4)
        for (url, problem) in [
            ("https://a.example/ format=pusher user.online", "no type of event"),
            ("https://a.example/ member_added", "no type of event"),
            ("https://a.example/ format=pusher, https://b.example/", "webhooks.secret is missing"),
            ("https://127.0.0.1/ format=pusher", "webhooks.allowPrivate"),
        ] {
            let error = try #require(throws: SettingsError.self) {
                try load(nil, Self.app.merging(["MARTLET_WEBHOOKS_URL": url]) { $1 })
            }
            #expect(error.description.contains(problem), "\(error)")
        }
        let none = try #require(throws: SettingsError.self) { try load(nil, ["MARTLET_WEBHOOKS_URL": url]) }
        #expect(none.description.contains("there is no app"))
    }

    @Test func `an app's own list is told of that app`() throws {
        let file = """
            pusher:
              apps:
                - {id: "1", key: shop, secret: 0123456789abcdef}
                - id: forum
                  key: forum-key
                  secret: fedcba9876543210
                  webhooks: [https://f.example/hook channel_occupied, "https://g.example/"]
            """
        let configuration = try load(file).settings.webhookConfiguration
        #expect(configuration.receivers.map(\.url) == ["https://f.example/hook", "https://g.example/"])
        #expect(configuration.receivers.allSatisfy { $0.form == .pusher(app: "forum") })
        #expect(configuration.receivers.map { $0.types?.count } == [1, 4])
        let error = try #require(throws: SettingsError.self) { try load(file.replacing("channel_occupied", with: "x")) }
        #expect(error.description.contains("pusher.apps[1].webhooks holds x, which is no type of event"))
    }

    @Test func `a rule can tell of messages and put them into the stream; left out it does neither`() throws {
        let yaml = """
            rooms:
              - pattern: order-*
                webhook: true
                stream: true
              - pattern: "*"
            """
        let rules = try load(yaml).settings.rooms
        let (order, other) = (RoomName(unchecked: "order-1"), RoomName(unchecked: "x"))
        #expect(rules.tellsMessages(of: order) && rules.isStreamed(order))
        #expect(!rules.tellsMessages(of: other) && !rules.isStreamed(other))
        #expect(!rules.isStreamed(.everyone) && rules.streamSize == 10_000)
        let error = try #require(throws: SettingsError.self) {
            try load("rooms:\n  - pattern: a\n    stream: maybe\n")
        }
        #expect(error.description.hasPrefix("rooms[0].stream = \"maybe\" is neither true nor false"))
    }
}
