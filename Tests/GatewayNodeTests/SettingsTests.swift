import GatewayCore
import GatewayNode
import RedisBackend
import Testing

@Suite("Settings")
struct SettingsTests {
    @Test func `nothing configured gives a node for this machine alone, with a key of its own`() throws {
        let (settings, warnings) = try load()
        var expected = Settings()
        expected.nodeId = "box-xxxx"
        expected.api.keys = [String(repeating: "x", count: 32)]
        #expect(written(settings) == written(expected) && settings.isKeyMade && !settings.areOriginsWritten)
        #expect(warnings.isEmpty)
        #expect(settings.client.port == 8080 && settings.api.port == 8081 && settings.auth.mode == .none)
        #expect(settings.rooms.defaultLog == LogLimits(size: 1000, age: .seconds(86_400)))
        #expect(settings.rooms.rules.isEmpty)
    }

    @Test(
        arguments: [
            "", "# nothing\n", "client:\n",
            "client:\n  port: 80\n  origins: [https://a.example, https://b.example]\napi: {}\n",
        ])
    func `a file may nest its keys, leave groups empty, and be empty itself`(yaml: String) throws {
        #expect(try refusal(yaml) == nil)
    }

    @Test func `lists are YAML lists, or one text with commas`() throws {
        let fromFile = try load("client:\n  trustedProxies: [10.0.0.0/8, 'fd00::/8']\n").settings
        let fromVariable = try load(nil, ["MARTLET_CLIENT_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8"]).settings
        #expect(fromFile.client.trustedProxies.map(\.description) == ["10.0.0.0/8", "fd00::/8"])
        #expect(fromVariable.client.trustedProxies == fromFile.client.trustedProxies)
        #expect(try load(nil, ["MARTLET_API_KEY": "new,old"]).settings.api.keys == ["new", "old"])
    }

    @Test func `an empty variable counts as not set`() throws {
        let settings = try load(nil, ["MARTLET_REDIS_URL": "", "MARTLET_CLIENT_PORT": "", "MARTLET_API_KEY_FILE": ""])
        #expect(settings.settings.redisURL == nil && settings.settings.client.port == 8080)
    }

    @Test(
        arguments: [
            ("80%", MemoryBudget.share(percent: 80)), ("100%", .share(percent: 100)), ("800MiB", .bytes(800 << 20)),
            ("1000", .bytes(1000)), ("0", .off),
        ])
    func `how full Redis may be is a share, bytes or nothing`(text: String, budget: MemoryBudget) throws {
        #expect(try load(nil, ["MARTLET_REDIS_BUDGET": text]).settings.backend.memoryBudget == budget)
        #expect(try load("redis: {budget: \(text)}\n").settings.backend.memoryBudget == budget)
    }

    @Test func `room rules are read in their order and take what log.size, log.bytes and log.age came to`() throws {
        let yaml = """
            log:
              size: 50
              bytes: 2MiB
            rooms:
              - pattern: "lesson-*"
                allow: [join, publish]
                log: {size: 7}
              - pattern: news.*
                outside: [presence, history]
                presence: off
                log: {age: 1h, bytes: 1MiB}
              - pattern: silent
                allow: []
            """
        let rules = try load(yaml, ["MARTLET_LOG_SIZE": "60"]).settings.rooms
        let lesson = try #require(RoomPattern("lesson-*"))
        let news = try #require(RoomPattern("news.*"))
        let silent = try #require(RoomPattern("silent"))
        #expect(
            rules.rules == [
                RoomRule(
                    pattern: lesson, allow: [.join, .publish],
                    log: LogLimits(size: 7, age: .seconds(86_400), bytes: 2 << 20)),
                RoomRule(
                    pattern: news, outside: [.presence, .history], presence: .off,
                    log: LogLimits(size: 60, age: .seconds(3600), bytes: 1 << 20)),
                RoomRule(
                    pattern: silent, allow: [], log: LogLimits(size: 60, age: .seconds(86_400), bytes: 2 << 20)),
            ])
    }

    @Test func `a rule says when a publish is acknowledged; left out, log.durability does, for inboxes and * too`()
        throws
    {
        let yaml = """
            redis: {url: "redis://localhost"}
            api: {key: k}
            rooms:
              - pattern: gold-*
                durability: replicated
              - pattern: "*"
            """
        let rules = try load(yaml).settings.rooms
        let (gold, other) = (RoomName(unchecked: "gold-1"), RoomName(unchecked: "x"))
        #expect(rules.durability(of: gold) == .replicated && rules.durability(of: other) == .primary)
        #expect(rules.durability(of: .everyone) == .primary && rules.needReplicas)
        let all = try load(yaml, ["MARTLET_LOG_DURABILITY": "replicated"]).settings.rooms
        #expect(
            [gold, other, .everyone, RoomName(unchecked: "@u")].allSatisfy { all.durability(of: $0) == .replicated })
        #expect(try !load().settings.rooms.needReplicas)
    }

    @Test func `a host's name that would not do as a node's is trimmed to what does`() throws {
        let odd = try Settings.load(file: nil, environment: [:], host: .named("my box!\u{e9}"))
        #expect(odd.settings.nodeId == "mybox-xxxx")
        let long = try Settings.load(file: nil, environment: [:], host: .named(String(repeating: "h", count: 200)))
        #expect(long.settings.nodeId.utf8.count == 64)
        let none = try Settings.load(file: nil, environment: [:], host: .named(""))
        #expect(none.settings.nodeId == "node-xxxx")
    }

    @Test func `this machine gives a name and characters nobody can guess`() {
        #expect(!Settings.Host.current.name().isEmpty)
        let (one, other) = (Settings.Host.current.randomCharacters(32), Settings.Host.current.randomCharacters(32))
        #expect(one.count == 32 && one != other)
    }
}
