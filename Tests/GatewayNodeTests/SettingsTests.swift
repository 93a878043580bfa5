import GatewayCore
import GatewayNode
import RedisBackend
import Testing

@Suite("Settings")
struct SettingsTests {
    @Test("nothing configured gives a node for this machine alone, with a key of its own")
    func defaults() throws {
        let (settings, warnings) = try load()
        var expected = Settings()
        expected.nodeId = "box-xxxx"
        expected.api.keys = [String(repeating: "x", count: 32)]
        expected.api.isKeyMade = true
        #expect(settings == expected)
        #expect(warnings.isEmpty)
        #expect(settings.client.port == 8080 && settings.api.port == 8081 && settings.auth.mode == .none)
        #expect(settings.rooms.defaultLog == LogLimits(size: 1000, age: .seconds(86_400)))
    }

    @Test("each key is read from the file and from its variable, and the variable wins")
    func everyKey() throws {
        let samples: [(path: String, value: String, check: (Settings) -> Bool)] = [
            ("nodeId", "n-1", { $0.nodeId == "n-1" }),
            ("client.host", "::1", { $0.client.host == "::1" }),
            ("client.port", "9000", { $0.client.port == 9000 }),
            ("client.maxMessageBytes", "32KiB", { $0.client.maxMessageBytes == 32_768 }),
            ("client.maxRooms", "5", { $0.client.maxRooms == 5 }),
            ("client.maxWatched", "6", { $0.client.maxWatched == 6 }),
            ("client.messagesPerSecond", "7", { $0.client.messagesPerSecond == 7 }),
            ("client.messageBurst", "8", { $0.client.messageBurst == 8 }),
            ("client.joinsPerSecond", "9", { $0.client.joinsPerSecond == 9 }),
            ("client.joinBurst", "10", { $0.client.joinBurst == 10 }),
            ("budget.connection", "20ms", { $0.budget.connection == .milliseconds(20) }),
            ("budget.user", "0s", { $0.budget.user == .zero }),
            ("budget.stored", "1MiB", { $0.budget.stored == 1 << 20 }),
            ("budget.room", "30ms", { $0.budget.room == .milliseconds(30) }),
            ("budget.node", "40ms", { $0.budget.node == .milliseconds(40) }),
            ("budget.stranger", "50ms", { $0.budget.stranger == .milliseconds(50) }),
            ("client.maxQueuedBytes", "2MiB", { $0.client.maxQueuedBytes == 2_097_152 }),
            ("client.authTimeout", "1500ms", { $0.client.authTimeout == .milliseconds(1500) }),
            ("client.handshakeTimeout", "2m", { $0.client.handshakeTimeout == .seconds(120) }),
            ("client.origins", "https://a.example", { $0.client.origins == ["https://a.example"] }),
            ("client.trustedProxies", "10.0.0.0/8", { $0.client.trustedProxies == ["10.0.0.0/8"] }),
            ("client.maxConnections", "11", { $0.client.maxConnections == 11 }),
            ("client.maxConnectionsPerAddress", "12", { $0.client.maxConnectionsPerAddress == 12 }),
            ("client.maxConnectionsPerUser", "1", { $0.client.maxConnectionsPerUser == 1 }),
            ("client.onTooManyConnections", "refuseNewest", { $0.client.onTooManyConnections == .refuseNewest }),
            ("client.dedupeKeysPerUser", "900", { $0.client.dedupeKeysPerUser == 900 }),
            ("client.acceptRate", "300", { $0.client.acceptRate == 300 }),
            ("client.compression", "false", { !$0.client.compression }),
            ("client.echo", "true", { $0.client.echo }),
            ("api.host", "localhost", { $0.api.host == "localhost" }),
            ("api.port", "9001", { $0.api.port == 9001 }),
            ("api.key", "k1", { $0.api.keys == ["k1"] && !$0.api.isKeyMade }),
            ("api.maxBodyBytes", "4096", { $0.api.maxBodyBytes == 4096 }),
            ("auth.mode", "none", { $0.auth.mode == .none }),
            ("auth.secret", "0123456789abcdef", { $0.auth.secret == "0123456789abcdef" }),
            ("auth.algorithms", "HS256", { $0.auth.algorithms == ["HS256"] }),
            ("auth.issuer", "me", { $0.auth.issuer == "me" }),
            ("api.headTimeout", "3s", { $0.api.headTimeout == .seconds(3) }),
            ("client.maxUnansweredBytes", "128KiB", { $0.client.maxUnansweredBytes == 128 << 10 }),
            ("client.sendBufferBytes", "0", { $0.client.sendBufferBytes == 0 }),
            ("client.memoryBudget", "1GiB", { $0.client.memoryBudget == 1 << 30 }),
            ("auth.audience", "you", { $0.auth.audience == "you" }),
            ("auth.leeway", "0s", { $0.auth.leeway == .zero }),
            ("redis.url", "redis://h", { $0.redis.url == "redis://h" }),
            ("redis.prefix", "p", { $0.redis.prefix == "p" }),
            ("redis.commandTimeout", "1s", { $0.redis.commandTimeout == .seconds(1) }),
            ("redis.connectTimeout", "2s", { $0.redis.connectTimeout == .seconds(2) }),
            ("redis.budget", "70%", { $0.redis.budget == .share(percent: 70) }),
            ("log.level", "trace", { $0.log.level == .trace }),
            ("log.format", "json", { $0.log.format == .json }),
            ("log.size", "0", { $0.rooms.defaultLog.size == 0 }),
            ("log.bytes", "1MiB", { $0.rooms.defaultLog.bytes == 1 << 20 }),
            ("log.age", "1h", { $0.rooms.defaultLog.age == .seconds(3600) }),
            ("log.recoverLimit", "20", { $0.log.recoverLimit == 20 }),
            ("log.inboxSize", "4", { $0.rooms.inboxLog.size == 4 }),
            ("log.inboxBytes", "65536", { $0.rooms.inboxLog.bytes == 65_536 }),
            ("log.inboxAge", "3h", { $0.rooms.inboxLog.age == .seconds(10_800) }),
            ("log.everyoneSize", "3", { $0.rooms.everyoneLog.size == 3 }),
            ("log.everyoneBytes", "5MiB", { $0.rooms.everyoneLog.bytes == 5 << 20 }),
            ("log.everyoneAge", "2h", { $0.rooms.everyoneLog.age == .seconds(7200) }),
            ("log.durability", "replicated", { $0.rooms.defaultDurability == .replicated }),
            ("log.streamSize", "9", { $0.rooms.streamSize == 9 }),
            ("log.streamBytes", "6MiB", { $0.rooms.streamBytes == 6 << 20 }),
            ("webhooks.url", "http://a/", { $0.webhooks.urls == ["http://a/"] }),
            ("webhooks.secret", "0123456789abcdef", { $0.webhooks.secrets == ["0123456789abcdef"] }),
            ("webhooks.timeout", "3s", { $0.webhooks.timeout == .seconds(3) }),
            ("webhooks.concurrency", "4", { $0.webhooks.concurrency == 4 }),
            ("webhooks.giveUpAfter", "5m", { $0.webhooks.giveUpAfter == .seconds(300) }),
            ("webhooks.allowPrivate", "true", { $0.webhooks.allowPrivate }),
            (
                "webhooks.caFile", "/etc/ssl/certs/ca-certificates.crt",
                { $0.webhooks.caFile == "/etc/ssl/certs/ca-certificates.crt" }
            ),
            ("webhooks.backlog", "6000", { $0.webhooks.backlog == 6000 }),
            ("webhooks.backlogBytes", "7MiB", { $0.webhooks.backlogBytes == 7 << 20 }),
            ("presence.grace", "0s", { $0.presence.grace == .zero }),
            ("presence.watch", "sameRoom", { $0.presence.watch == .sameRoom }),
            ("presence.bundleAbove", "0", { $0.presence.bundleAbove == 0 }),
            ("presence.seenUsers", "8", { $0.presence.seenUsers == 8 }),
            ("session.ttl", "10m", { $0.session.ttl == .seconds(600) }),
            ("heartbeat.interval", "10s", { $0.heartbeat.interval == .seconds(10) }),
            ("heartbeat.missed", "2", { $0.heartbeat.missed == 2 }),
            ("drain.timeout", "5s", { $0.drain.timeout == .seconds(5) }),
            ("drain.rate", "50", { $0.drain.rate == 50 }),
            ("threads", "3", { $0.threads == 3 }),
        ]
        #expect(samples.map(\.path).sorted() == SettingKey.all.map(\.path).sorted())
        let scratch = try Scratch()
        for sample in samples {
            let key = try #require(SettingKey.all.first { $0.path == sample.path })
            let fromVariable = try Settings.read(file: nil, environment: [key.variable: sample.value])
            #expect(sample.check(fromVariable), "\(key.variable)")
            let file = try scratch.file("\(sample.path).yaml", "\(sample.path): \"\(sample.value)\"\n")
            #expect(sample.check(try Settings.read(file: file, environment: [:])), "\(sample.path)")
            let other = try scratch.file("other.yaml", "\(sample.path): \(key.defaultText)\n")
            let both = try Settings.read(file: other, environment: [key.variable: sample.value])
            #expect(sample.check(both), "\(key.variable) over \(key.defaultText)")
        }
    }

    @Test(
        "variables are named after their keys",
        arguments: [
            ("client.maxMessageBytes", "MARTLET_CLIENT_MAX_MESSAGE_BYTES"), ("nodeId", "MARTLET_NODE_ID"),
            ("api.key", "MARTLET_API_KEY"), ("auth.secret", "MARTLET_AUTH_SECRET"), ("redis.url", "MARTLET_REDIS_URL"),
            ("log.level", "MARTLET_LOG_LEVEL"), ("threads", "MARTLET_THREADS"),
        ])
    func variables(path: String, variable: String) {
        #expect(SettingKey.all.first { $0.path == path }?.variable == variable)
    }

    @Test(
        "a file may nest its keys, leave groups empty, and be empty itself",
        arguments: [
            "", "# nothing\n", "client:\n",
            "client:\n  port: 80\n  origins: [https://a.example, https://b.example]\napi: {}\n",
        ])
    func shapes(yaml: String) throws {
        #expect(try refusal(yaml) == nil)
    }

    @Test("lists are YAML lists, or one text with commas")
    func lists() throws {
        let fromFile = try load("client:\n  trustedProxies: [10.0.0.0/8, 'fd00::/8']\n").settings
        let fromVariable = try load(nil, ["MARTLET_CLIENT_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8"]).settings
        #expect(fromFile.client.trustedProxies == ["10.0.0.0/8", "fd00::/8"])
        #expect(fromVariable.client.trustedProxies == fromFile.client.trustedProxies)
        #expect(try load(nil, ["MARTLET_API_KEY": "new,old"]).settings.api.keys == ["new", "old"])
    }

    @Test("an empty variable counts as not set")
    func emptyVariable() throws {
        let settings = try load(nil, ["MARTLET_REDIS_URL": "", "MARTLET_CLIENT_PORT": "", "MARTLET_API_KEY_FILE": ""])
        #expect(settings.settings.redis.url == nil && settings.settings.client.port == 8080)
    }

    @Test(
        "how full Redis may be is a share, bytes or nothing",
        arguments: [
            ("80%", MemoryBudget.share(percent: 80)), ("100%", .share(percent: 100)), ("800MiB", .bytes(800 << 20)),
            ("1000", .bytes(1000)), ("0", .off),
        ])
    func budget(text: String, budget: MemoryBudget) throws {
        #expect(try load(nil, ["MARTLET_REDIS_BUDGET": text]).settings.redis.budget == budget)
        #expect(try load("redis: {budget: \(text)}\n").settings.redis.budget == budget)
    }

    @Test("room rules are read in their order and take what log.size, log.bytes and log.age came to")
    func rooms() throws {
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

    @Test("a rule says when a publish is acknowledged; left out, log.durability does, for inboxes and * too")
    func durability() throws {
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

    @Test("a host's name that would not do as a node's is trimmed to what does")
    func nodeId() throws {
        let odd = try Settings.load(file: nil, environment: [:], host: .named("my box!\u{e9}"))
        #expect(odd.settings.nodeId == "mybox-xxxx")
        let long = try Settings.load(file: nil, environment: [:], host: .named(String(repeating: "h", count: 200)))
        #expect(long.settings.nodeId.utf8.count == 64)
        let none = try Settings.load(file: nil, environment: [:], host: .named(""))
        #expect(none.settings.nodeId == "node-xxxx")
    }

    @Test("this machine gives a name and characters nobody can guess")
    func currentHost() {
        #expect(!Settings.Host.current.name().isEmpty)
        let (one, other) = (Settings.Host.current.randomCharacters(32), Settings.Host.current.randomCharacters(32))
        #expect(one.count == 32 && one != other)
    }
}
