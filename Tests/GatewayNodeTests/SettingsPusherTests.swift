import Dialects
import GatewayCore
import GatewayNode
import RedisBackend
import Testing

@Suite("Pusher's apps in the settings")
struct SettingsPusherTests {
    private static let secret = "0123456789abcdef"
    private static let variables = [
        "MARTLET_PUSHER_APP_ID": "1", "MARTLET_PUSHER_KEY": "shop", "MARTLET_PUSHER_SECRET": secret,
    ]
    private static let apps = """
        pusher:
          apps:
            - {id: "1", key: shop, secret: 0123456789abcdef}
            - id: forum
              key: forum-key
              secrets: [0123456789abcdef, fedcba9876543210]
              clientEvents: false
              subscriptionCount: true
              origins: [https://forum.example]
              maxConnections: 500
              rate: 200
              webhooks: ["https://forum.example/hook channel_occupied"]
        """

    @Test func `one app comes from variables`() throws {
        let settings = try load(nil, Self.variables).settings
        let app = try #require(settings.pusher.apps.first)
        #expect(app.id == "1" && app.key == "shop" && app.secrets == [Self.secret] && app.hasClientEvents)
        let apps = settings.socketConfiguration(authentication: .none).apps
        #expect(apps.first?.isFirst == true && !apps.hasFurther)
        #expect(try load().settings.pusher.apps.isEmpty)
    }

    @Test func `several stand in the file, and fence their names`() throws {
        let settings = try load(Self.apps).settings
        let apps = settings.socketConfiguration(authentication: .none).apps
        let second = try #require(apps.app(withKey: "forum-key"))
        #expect(second.id == "forum" && second.secrets.count == 2 && !second.hasClientEvents && !second.isFirst)
        #expect(second.tellsSubscriptionCount && apps.first?.tellsSubscriptionCount == false)
        #expect(second.origins == ["https://forum.example"] && second.maxConnections == 500)
        #expect(second.webhooks == ["https://forum.example/hook channel_occupied"])
        #expect(second.rate == 200 && apps.first?.rate == 0)
        #expect(settings.rooms.fencesApps)
        #expect(try !load(nil, Self.variables).settings.rooms.fencesApps)
    }

    @Test func `the bounds of all apps are the settings' own`() throws {
        let (settings, before) = try (
            load(
                Self.apps + """

                      maxEventBytes: 20KiB
                      activityTimeout: 30s
                      clientEventsPerSecond: 5
                      clientEventBurst: 50
                      maxUnreadBytes: 1MiB
                      maxCallBytes: 2MiB
                      callTimeout: 10s
                    """
            ).settings, load(Self.apps).settings
        )
        let client = settings.socketConfiguration(authentication: .none)
        #expect(client.apps.all.allSatisfy { $0.maxEventBytes == 20 << 10 && $0.activitySeconds == 30 })
        #expect(settings.controlConfiguration.apps == client.apps)
        #expect(client.limits.visitorEvents == RateLimit(perSecond: 5, burst: 50))
        #expect(client.maxUnreadBytes == 1 << 20 && client.maxCallBytes == 2 << 20)
        #expect(client.callTimeout == .seconds(10))
        let usual = before.socketConfiguration(authentication: .none)
        #expect(usual.apps.all.allSatisfy { $0.maxEventBytes == 10_240 && $0.activitySeconds == 120 })
        #expect(usual.limits.visitorEvents == RateLimit(perSecond: 10, burst: 10))
        #expect(usual.maxUnreadBytes == 16 << 20 && usual.maxCallBytes == 16 << 20)
    }

    @Test func `how many there are is counted for subscribers and receivers that want it, and else for nobody`() throws
    {
        func counting(_ room: String, _ settings: Settings) throws -> RoomCounting {
            let backend = try settings.backendConfiguration(redisURL: "redis://127.0.0.1:6379")
            return backend.presence.counting(RoomName(unchecked: room))
        }
        let settings = try load(Self.apps).settings
        let subscribers = RoomCounting(isToldSubscribers: true, isNoted: false)
        #expect(try counting(":forum:news", settings) == subscribers)
        for room in ["news", ":forum:presence-a", "@:forum:alice"] { #expect(try counting(room, settings) == .nobody) }
        let noted = try load(
            nil,
            Self.variables.merging([
                "MARTLET_WEBHOOKS_URL": "https://a.example/ format=pusher subscription_count channel_vacated"
            ]) { $1 }
        ).settings
        #expect(try counting("news", noted) == RoomCounting(isToldSubscribers: false, isNoted: true))
        #expect(try counting("presence-a", noted) == .nobody)
        let plain = try load(
            nil, Self.variables.merging(["MARTLET_WEBHOOKS_URL": "https://a.example/ format=pusher"]) { $1 }
        ).settings
        #expect(try counting("news", plain) == .nobody)
    }

    @Test func `what clients cause is noted in the rooms of the apps whose receivers name it`() throws {
        let file = """
            pusher:
              apps:
                - {id: "1", key: shop, secret: 0123456789abcdef}
                - id: forum
                  key: forum-key
                  secret: 0123456789abcdef
                  webhooks: ["https://forum.example/hook client_event cache_miss", "https://forum.example/all"]
            """
        let rules = try load(file).settings.rooms
        for type in [EventType.clientEvent, .roomMissed] {
            #expect(rules.notes(type, in: RoomName(unchecked: ":forum:private-a")))
            #expect(!rules.notes(type, in: RoomName(unchecked: "private-a")))
        }
        #expect(!rules.notes(.roomCounted, in: RoomName(unchecked: ":forum:private-a")))
    }

    @Test func `who only knows the key enters all rooms, or none where clients show tokens`() throws {
        let room = RoomName(unchecked: "lesson")
        func isOpen(_ more: [String: String], _ file: String? = nil) throws -> Bool {
            try load(file, Self.variables.merging(more) { $1 }).settings.rooms.allowsVisitors(.join, in: room)
        }
        let jwt = [
            "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
        ]
        #expect(try isOpen([:]) && isOpen(["MARTLET_AUTH_MODE": "none"]) && !isOpen(jwt))
        #expect(try isOpen(jwt.merging(["MARTLET_PUSHER_PUBLIC_ROOMS": "news.*, less*"]) { $1 }))
        #expect(try !isOpen(["MARTLET_PUSHER_PUBLIC_ROOMS": "news.*"]))
        #expect(try isOpen(jwt, "rooms: [{pattern: lesson, allowGuests: [join]}]"))
        #expect(try !isOpen([:], "rooms: [{pattern: lesson, allowGuests: []}]"))
        #expect(try load(nil, Self.variables.merging(jwt) { $1 }).settings.rooms.keepsSignedRooms)
        #expect(try !load(nil, jwt).settings.rooms.keepsSignedRooms)
    }

    @Test func `auth_mode may be left out on any host, and nobody else is served then`() throws {
        let outside = ["MARTLET_CLIENT_HOST": "0.0.0.0"]
        #expect(throws: SettingsError.self) { try load(nil, outside) }
        #expect(try !load(nil, Self.variables.merging(outside) { $1 }).settings.servesSessions)
        #expect(try !load(nil, Self.variables).settings.servesSessions)
        let said = Self.variables.merging(["MARTLET_AUTH_MODE": "none"]) { $1 }
        #expect(try load(nil, said).settings.servesSessions && load().settings.servesSessions)
    }

    @Test(arguments: [
        (#"pusher: {apps: [{key: k, secret: 0123456789abcdef}]}"#, "has no id"),
        (#"pusher: {apps: [{id: "1", secret: 0123456789abcdef}]}"#, "has no key"),
        (#"pusher: {apps: [{id: "1", key: k}]}"#, "has either a secret or secrets"),
        (
            #"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef, secrets: [0123456789abcdef]}]}"#,
            "has either a secret or secrets"
        ),
        (#"pusher: {apps: [{id: "1", key: k, secret: hunter2}]}"#, "is shorter than 16 bytes"),
        (#"pusher: {apps: [{id: "a b", key: k, secret: 0123456789abcdef}]}"#, "must be 1 to 32 of"),
        (#"pusher: {apps: [{id: "1", key: k/, secret: 0123456789abcdef}]}"#, "must be 1 to 64 of"),
        (#"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef, colour: red}]}"#, "is not a key"),
        (#"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef, rate: -1}]}"#, "is outside 0 to 1000000"),
        (#"pusher: {maxEventBytes: 65KiB}"#, "pusher.maxEventBytes"),
        (#"pusher: {activityTimeout: 9s}"#, "pusher.activityTimeout"),
        (#"pusher: {clientEventsPerSecond: 0}"#, "pusher.clientEventsPerSecond"),
        (#"pusher: {maxUnreadBytes: 1}"#, "pusher.maxUnreadBytes"),
        (#"pusher: {maxCallBytes: 1}"#, "pusher.maxCallBytes"),
        (#"pusher: {callTimeout: 0s}"#, "pusher.callTimeout"),
        (
            #"pusher: {appId: "1", key: k, secret: 0123456789abcdef, api: client, maxCallBytes: 64KiB}"#,
            "pusher.maxCallBytes is below api.maxBodyBytes"
        ),
        (#"pusher: {apps: 7}"#, "is not a list"), (#"pusher: {key: k}"#, "pusher.appId is missing"),
        (#"pusher: {appId: "1", key: k}"#, "pusher.secret is missing"),
        (
            #"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef}, {id: "1", key: l, secret: 0123456789abcdef}]}"#,
            "pusher.apps[1].id is that of another"
        ),
        (
            #"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef}, {id: "2", key: k, secret: 0123456789abcdef}]}"#,
            "pusher.apps[1].key is that of another"
        ),
        (
            #"pusher: {apps: [{id: "1", key: k, secret: 0123456789abcdef}], appId: "2", key: l, secret: 0123456789abcdef}"#,
            "has no place beside pusher.apps"
        ),
    ])
    func `what cannot work is refused, without the secret`(file: String, problem: String) throws {
        let error = try #require(throws: SettingsError.self) { try load(file) }
        #expect(error.description.contains(problem), "\(error)")
        #expect(!error.description.contains("hunter2") && !error.description.contains(Self.secret))
    }

    @Test func `another app needs a restart`() throws {
        let old = try load(nil, Self.variables).settings
        let plan = ReloadPlan(from: old, to: try load(Self.apps).settings)
        #expect(plan.kept.contains("pusher.apps") && plan.taken.isEmpty)
        #expect(plan.settings.pusher.apps == old.pusher.apps)
    }
}
