import GatewayNode
import Testing

@Suite("What a reload takes")
struct ReloadPlanTests {
    private static let base = """
        nodeId: a
        api: {key: 0123456789abcdef}
        redis: {url: "redis://127.0.0.1"}
        """

    private static func plan(_ old: String, _ new: String) throws -> ReloadPlan {
        ReloadPlan(from: try load(base + "\n" + old).settings, to: try load(base + "\n" + new).settings)
    }

    @Test(
        arguments: [
            ("client: {maxRooms: 5}", ["client.maxRooms"], []),
            ("client: {maxRooms: 5, maxQueuedBytes: 2MiB}", ["client.maxRooms"], ["client.maxQueuedBytes"]),
            ("client: {origins: [https://a.example]}", ["client.origins"], []),
            ("auth: {guests: true}", ["auth.guests"], []),
            ("client: {port: 9000}", [], ["client.port"]),
            ("presence: {watch: nobody, grace: 1s}", ["presence.watch"], ["presence.grace"]),
            ("log: {size: 5, level: debug}", ["log.size"], ["log.level"]),
            ("rooms: [{pattern: a, allow: [join]}]", ["rooms"], []),
            // Who is in such a room has been counted.
            ("rooms: [{pattern: a, presence: off}]", [], ["rooms"]),
            // These need links, or readers, of their own.
            ("rooms: [{pattern: a, durability: replicated}]", [], ["rooms"]),
            ("rooms: [{pattern: a, archive: true}]\nlog: {size: 5}", [], ["log.size", "rooms"]),
            // The ledger is written from the start, or not at all.
            (
                "webhooks: {url: \"https://a.example\", secret: 0123456789abcdef}", [],
                ["webhooks.url", "webhooks.secret"]
            ),
            ("auth: {mode: jwt, secret: 0123456789abcdef0123456789abcdef}", [], ["auth.mode", "auth.secret"]),
            ("hooks: {authorize: {url: \"https://a.example\"}}", [], ["hooks.authorize.url"]),
            (
                "hooks: {authorize: {url: \"https://a.example\"}}\nrooms: [{pattern: a, authorize: [join]}]", [],
                ["hooks.authorize.url", "rooms"]
            ),
            ("budget: {user: 1s}", [], ["budget.user"]), ("", [], []),
        ] as [(String, [String], [String])])
    func `each key that differs is taken, or needs a restart`(new: String, taken: [String], kept: [String]) throws {
        let plan = try Self.plan("", new)
        #expect(plan.taken == taken)
        #expect(plan.kept == kept)
    }

    @Test(
        arguments: [
            // The hook stays, so the origins that its cookies need stay too.
            (
                """
                hooks: {authorize: {url: "https://a.example", headers: [Cookie]}}
                auth: {mode: jwt, secret: 0123456789abcdef0123456789abcdef}
                client: {origins: [https://a.example]}
                """, "auth: {mode: jwt, secret: 0123456789abcdef0123456789abcdef}",
                [], ["client.origins", "hooks.authorize.url", "hooks.authorize.headers"]
            ),
            // Nobody is asked for a token before the restart.
            (
                "auth: {mode: none}\nclient: {maxRooms: 4}",
                """
                auth: {mode: jwt, secret: 0123456789abcdef0123456789abcdef}
                client: {maxRooms: 5, origins: ["*"]}
                """, ["client.maxRooms"], ["auth.mode", "auth.secret", "client.origins"]
            ),
            // Bound where everybody reaches it, the port goes on asking for what it asked for.
            (
                "auth: {mode: none}\nclient: {host: 0.0.0.0, origins: [https://a.example]}",
                "auth: {mode: none}\nclient: {host: 127.0.0.1}", [],
                ["client.host", "client.origins"]
            ),
            (
                "rooms: [{pattern: a}]", "rooms: [{pattern: b, presence: off}]\nauth: {guests: true}", [],
                ["auth.guests", "rooms"]
            ),
        ] as [(String, String, [String], [String])])
    func `what says who may do what is taken as a whole, or waits as a whole`(
        old: String, new: String, taken: [String], kept: [String]
    ) throws {
        let plan = try Self.plan(old, new)
        #expect(plan.taken == taken)
        #expect(Set(plan.kept) == Set(kept))
        let before = try load(Self.base + "\n" + old).settings
        #expect(plan.settings.areOriginsWritten == before.areOriginsWritten)
        #expect(
            plan.settings.origins == before.origins && plan.settings.client.takesGuests == before.client.takesGuests)
        #expect(plan.settings.rooms.rules == before.rooms.rules)
    }

    @Test func `what is taken stands in the settings behind it, and what is not stays as it was`() throws {
        let plan = try Self.plan(
            "client: {maxRooms: 5, port: 9000}\nrooms: [{pattern: a}]",
            "client: {maxRooms: 6, port: 9001, origins: [https://a.example]}\nrooms: [{pattern: b}]\nlog: {size: 7}")
        #expect(plan.settings.client.limits.maxRooms == 6 && plan.settings.client.port == 9000)
        #expect(plan.settings.areOriginsWritten && plan.settings.origins == ["https://a.example"])
        #expect(plan.settings.rooms.rules.map(\.pattern.description) == ["b"])
        #expect(plan.settings.rooms.rules.first?.log.size == 7)
    }

    @Test func `receivers, secrets of tokens and keys are taken where there were some`() throws {
        let old = """
            webhooks: {url: "https://a.example", secret: 0123456789abcdef}
            auth: {mode: jwt, secret: 0123456789abcdef0123456789abcdef}
            """
        let new = """
            webhooks: {url: ["https://a.example", "https://b.example"], secret: 0123456789abcdef}
            auth: {mode: jwt, secret: [abcdef0123456789abcdef0123456789, 0123456789abcdef0123456789abcdef], issuer: me}
            """
        let plan = try Self.plan(old, new)
        #expect(plan.taken == ["auth.secret", "auth.issuer", "webhooks.url"])
        #expect(plan.settings.webhooks.receivers.count == 2)
        #expect(plan.settings.auth.common.secrets.count == 2 && plan.settings.auth.common.name == "me")
    }

    @Test func `a first key that anybody could guess needs a restart: the port answers every host by then`() throws {
        let (strong, weak) = (try load("api: {key: 0123456789abcdef}"), try load("api: {key: secret}"))
        #expect(ReloadPlan(from: strong.settings, to: weak.settings).kept == ["api.key"])
        #expect(ReloadPlan(from: weak.settings, to: strong.settings).taken == ["api.key"])
        // A key that is made at each reading is no change.
        let (one, other) = (try load("nodeId: a"), try load("nodeId: b"))
        let plan = ReloadPlan(from: one.settings, to: other.settings)
        #expect(plan.taken.isEmpty && plan.kept.isEmpty)
    }

    @Test func `receivers of apps that are not there before a restart wait for it with them, and none is swallowed`()
        throws
    {
        let old = #"webhooks: {url: "https://a.example", secret: 0123456789abcdef}"#
        let new = """
            webhooks: {url: ["https://a.example", "https://b.example format=pusher"], secret: 0123456789abcdef}
            pusher: {apps: [{id: "1", key: shop, secret: 0123456789abcdef}]}
            """
        let plan = try Self.plan(old, new)
        #expect(plan.taken.isEmpty && Set(plan.kept) == ["webhooks.url", "pusher.apps"])
        #expect(plan.settings.webhookConfiguration.receivers.count == 1)
        // With apps as they were, one more receiver in their form is taken.
        let grown = new.replacing("format=pusher\"", with: "format=pusher\", \"https://c.example format=pusher\"")
        #expect(try Self.plan(new, grown).taken == ["webhooks.url"])
    }
}
