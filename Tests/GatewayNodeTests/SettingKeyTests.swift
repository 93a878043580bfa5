import GatewayCore
import GatewayNode
import RedisBackend
import Testing

@Suite("The table of keys")
struct SettingKeyTests {
    /// A value of each key other than its default, and how it shows in the place that it is meant for.
    private static let samples: [(path: String, value: String, check: @Sendable (Settings) -> Bool)] = [
        ("nodeId", "n-1", { $0.nodeId == "n-1" }),
        ("client.host", "::1", { $0.client.host == "::1" }),
        ("client.port", "9000", { $0.client.port == 9000 }),
        ("client.maxMessageBytes", "32KiB", { $0.client.maxMessageBytes == 32_768 }),
        ("client.maxRooms", "5", { $0.client.limits.maxRooms == 5 }),
        ("client.maxWatched", "6", { $0.client.limits.maxWatched == 6 }),
        ("client.messagesPerSecond", "7", { $0.client.limits.rate.perSecond == 7 }),
        ("client.messageBurst", "8", { $0.client.limits.rate.burst == 8 }),
        ("client.joinsPerSecond", "9", { $0.client.limits.joins.perSecond == 9 }),
        ("client.joinBurst", "10", { $0.client.limits.joins.burst == 10 }),
        ("budget.connection", "20ms", { $0.client.budgets.connection.perSecond == .milliseconds(20) }),
        ("budget.user", "0s", { $0.client.budgets.user == .unlimited }),
        ("budget.stored", "1MiB", { $0.client.budgets.storedBytesPerSecond == 1 << 20 }),
        ("budget.room", "30ms", { $0.client.budgets.room.perSecond == .milliseconds(30) }),
        ("budget.node", "40ms", { $0.client.budgets.node.perSecond == .milliseconds(40) }),
        ("budget.stranger", "50ms", { $0.client.budgets.stranger.perSecond == .milliseconds(50) }),
        ("client.maxQueuedBytes", "2MiB", { $0.client.maxQueuedBytes == 2_097_152 }),
        ("client.authTimeout", "1500ms", { $0.client.limits.authTimeout == .milliseconds(1500) }),
        ("client.handshakeTimeout", "2m", { $0.client.handshakeTimeout == .seconds(120) }),
        ("client.origins", "https://a.example", { $0.origins == ["https://a.example"] }),
        ("client.trustedProxies", "10.0.0.0/8", { $0.client.trustedProxies == [AddressRange("10.0.0.0/8")] }),
        ("client.maxConnections", "11", { $0.client.maxConnections == 11 }),
        ("client.maxConnectionsPerAddress", "12", { $0.client.maxConnectionsPerAddress == 12 }),
        ("client.maxConnectionsPerUser", "1", { $0.backend.presence.maxConnectionsPerUser == 1 }),
        ("client.onTooManyConnections", "closeOldest", { $0.backend.presence.surplus == .closeOldest }),
        ("client.dedupeKeysPerUser", "900", { $0.backend.maxMarksPerUser == 900 }),
        ("client.acceptRate", "300", { $0.client.acceptRate == 300 }),
        ("client.compression", "false", { !$0.client.isCompressing }),
        ("client.echo", "true", { $0.client.isEchoing }),
        ("api.host", "localhost", { $0.api.host == "localhost" }),
        ("api.port", "9001", { $0.api.port == 9001 }),
        ("api.key", "k1", { $0.api.keys == ["k1"] && !$0.isKeyMade }),
        ("api.keysFile", "/keys.yaml", { $0.apiKeysFile == "/keys.yaml" }),
        ("api.maxBodyBytes", "4096", { $0.api.maxBodyBytes == 4096 }),
        ("client.tls.certificateFile", "/c.pem", { $0.clientTLS.certificateFile == "/c.pem" }),
        ("client.tls.keyFile", "/k.pem", { $0.clientTLS.keyFile == "/k.pem" }),
        ("api.tls.certificateFile", "/c.pem", { $0.apiTLS.certificateFile == "/c.pem" }),
        ("api.tls.keyFile", "/k.pem", { $0.apiTLS.keyFile == "/k.pem" }),
        ("api.tls.clientCaFile", "/a.pem", { $0.apiTLS.clientAuthorityFile == "/a.pem" }),
        ("auth.mode", "jwt", { $0.auth.mode == .jwt }),
        ("auth.guests", "true", { $0.client.takesGuests }),
        ("auth.secret", "0123456789abcdef", { $0.auth.common.secrets == ["0123456789abcdef"] }),
        ("auth.keyFile", "/k.pem", { $0.auth.common.keyFile == "/k.pem" }),
        ("auth.jwks", "https://a/jwks", { $0.auth.common.jwks == "https://a/jwks" }),
        (
            "auth.caFile", "/etc/ssl/certs/ca-certificates.crt",
            { $0.auth.authorityFile == "/etc/ssl/certs/ca-certificates.crt" }
        ),
        ("auth.algorithms", "RS256,EdDSA", { $0.auth.common.algorithms == [.rs256, .edDSA] }),
        ("auth.issuer", "me", { $0.auth.common.name == "me" }),
        ("auth.audienceClaim", "client_id", { $0.auth.common.names.audience == "client_id" }),
        ("auth.userClaim", "https://a.example/uid", { $0.auth.common.names.user == "https://a.example/uid" }),
        ("auth.infoClaims", "name, picture", { $0.auth.common.names.info == ["name", "picture"] }),
        ("api.headTimeout", "3s", { $0.api.headTimeout == .seconds(3) }),
        ("client.maxUnansweredBytes", "128KiB", { $0.client.maxUnansweredBytes == 128 << 10 }),
        ("client.sendBufferBytes", "0", { $0.client.sendBufferBytes == 0 }),
        ("client.memoryBudget", "1GiB", { $0.memoryBudget == 1 << 30 }),
        ("auth.audience", "you", { $0.auth.common.audience == "you" }),
        ("auth.leeway", "0s", { $0.client.limits.leeway == .zero }),
        ("redis.url", "redis://h", { $0.redisURL == "redis://h" }),
        ("redis.prefix", "p", { $0.backend.prefix == "p" }),
        ("redis.commandTimeout", "1s", { $0.backend.redis.commandTimeout == .seconds(1) }),
        ("redis.connectTimeout", "2s", { $0.backend.redis.connectTimeout == .seconds(2) }),
        ("redis.failoverGrace", "20s", { $0.backend.presence.failoverGrace == .seconds(20) }),
        ("canary.interval", "0s", { $0.backend.canaryInterval == .zero }),
        ("redis.budget", "70%", { $0.backend.memoryBudget == .share(percent: 70) }),
        ("log.level", "trace", { $0.log.level == .trace }),
        ("log.format", "json", { $0.log.format == .json }),
        ("log.size", "0", { $0.rooms.defaultLog.size == 0 }),
        ("log.bytes", "1MiB", { $0.rooms.defaultLog.bytes == 1 << 20 }),
        ("log.age", "1h", { $0.rooms.defaultLog.age == .seconds(3600) }),
        ("log.recoverLimit", "20", { $0.backend.recoverLimit == 20 }),
        ("log.inboxSize", "4", { $0.rooms.inboxLog.size == 4 }),
        ("log.inboxBytes", "65536", { $0.rooms.inboxLog.bytes == 65_536 }),
        ("log.inboxAge", "3h", { $0.rooms.inboxLog.age == .seconds(10_800) }),
        ("log.everyoneSize", "3", { $0.rooms.everyoneLog.size == 3 }),
        ("log.everyoneBytes", "5MiB", { $0.rooms.everyoneLog.bytes == 5 << 20 }),
        ("log.everyoneAge", "2h", { $0.rooms.everyoneLog.age == .seconds(7200) }),
        ("log.durability", "replicated", { $0.rooms.defaultDurability == .replicated }),
        ("log.streamSize", "9", { $0.rooms.streamSize == 9 }),
        ("log.streamBytes", "6MiB", { $0.rooms.streamBytes == 6 << 20 }),
        ("turn.urls", "turn:t.example", { $0.turn.urls == ["turn:t.example"] }),
        ("turn.secret", "0123456789abcdef", { $0.turn.secret == "0123456789abcdef" }),
        ("turn.ttl", "2h", { $0.turn.life == .seconds(7200) }),
        ("pusher.appId", "7", { $0.pusher.appId == "7" }),
        ("pusher.key", "shop", { $0.pusher.key == "shop" }),
        ("pusher.secret", "0123456789abcdef", { $0.pusher.secrets == ["0123456789abcdef"] }),
        ("pusher.publicRooms", "news.*", { $0.pusher.publicRooms.map(\.description) == ["news.*"] }),
        ("pusher.maxPresenceMembers", "50", { $0.client.limits.maxShownMembers == 50 }),
        ("pusher.maxEventBytes", "20KiB", { $0.pusher.maxEventBytes == 20 << 10 }),
        ("pusher.clientEventsPerSecond", "5", { $0.client.limits.visitorEvents.perSecond == 5 }),
        ("pusher.clientEventBurst", "50", { $0.client.limits.visitorEvents.burst == 50 }),
        ("pusher.activityTimeout", "30s", { $0.pusher.activityTimeout == .seconds(30) }),
        ("pusher.maxUnreadBytes", "1MiB", { $0.client.maxUnreadBytes == 1 << 20 }),
        ("pusher.maxCallBytes", "2MiB", { $0.client.maxCallBytes == 2 << 20 }),
        ("pusher.callTimeout", "10s", { $0.client.callTimeout == .seconds(10) }),
        ("archive.url", "sqlite:///a.db", { $0.archive.url == "sqlite:///a.db" }),
        ("archive.password", "p", { $0.archive.password == "p" }),
        ("archive.inboxes", "true", { $0.rooms.archivesInboxes }),
        ("archive.everyone", "true", { $0.rooms.archivesEveryone }),
        ("archive.keep", "720h", { $0.archive.keep == .seconds(720 * 3600) }),
        ("archive.recoverLimit", "500", { $0.archive.recoverLimit == 500 }),
        ("archive.backlog", "2000", { $0.rooms.archiveBacklog == 2000 }),
        ("archive.backlogBytes", "1MiB", { $0.rooms.archiveBacklogBytes == 1 << 20 }),
        ("archive.connections", "3", { $0.archive.connections == 3 }),
        ("archive.host", "::1", { $0.archive.host == "::1" }),
        ("archive.port", "9002", { $0.archive.port == 9002 }),
        ("tracing.url", "http://127.0.0.1:4318/v1/traces", { $0.tracing.url == "http://127.0.0.1:4318/v1/traces" }),
        ("tracing.sample", "0.5%", { $0.tracing.sample == 0.005 }),
        ("hooks.authorize.url", "http://127.0.0.1/h", { $0.hook.url == "http://127.0.0.1/h" }),
        (
            "hooks.authorize.caFile", "/etc/ssl/certs/ca-certificates.crt",
            { $0.hook.authorityFile == "/etc/ssl/certs/ca-certificates.crt" }
        ),
        ("hooks.authorize.secret", "0123456789abcdef", { $0.hook.secrets == ["0123456789abcdef"] }),
        ("hooks.authorize.timeout", "3s", { $0.hook.timeout == .seconds(3) }),
        ("hooks.authorize.onFailure", "allow", { $0.hook.onFailure == .allow }),
        ("hooks.authorize.headers", "X-One", { $0.hook.headers == ["X-One"] }),
        ("hooks.authorize.concurrency", "5", { $0.hook.concurrency == 5 }),
        ("hooks.format", "centrifugo", { $0.hook.format == .centrifugo }),
        ("webhooks.url", "http://a/", { $0.webhooks.receivers.map(\.url) == ["http://a/"] }),
        ("webhooks.secret", "0123456789abcdef", { $0.webhooks.secrets == ["0123456789abcdef"] }),
        ("webhooks.timeout", "3s", { $0.webhooks.timeout == .seconds(3) }),
        ("webhooks.concurrency", "4", { $0.webhooks.concurrency == 4 }),
        ("webhooks.giveUpAfter", "5m", { $0.webhooks.giveUpAfter == .seconds(300) }),
        ("webhooks.allowPrivate", "true", { $0.webhooks.allowsPrivate }),
        (
            "webhooks.caFile", "/etc/ssl/certs/ca-certificates.crt",
            { $0.webhooks.authorityFile == "/etc/ssl/certs/ca-certificates.crt" }
        ),
        ("webhooks.backlog", "6000", { $0.backend.webhookLedger.backlog == 6000 }),
        ("webhooks.backlogBytes", "7MiB", { $0.backend.webhookLedger.bytes == 7 << 20 }),
        ("presence.grace", "0s", { $0.backend.presence.grace == .zero }),
        ("presence.watch", "sameRoom", { $0.client.watchRight == .sameRoom }),
        ("presence.bundleAbove", "0", { $0.client.presenceBundleAbove == 0 }),
        ("presence.seenUsers", "8", { $0.backend.presence.seenUsers == 8 }),
        ("session.ttl", "10m", { $0.backend.presence.sessionTTL == .seconds(600) }),
        ("heartbeat.interval", "10s", { $0.client.heartbeatInterval == .seconds(10) }),
        ("heartbeat.missed", "2", { $0.client.missedHeartbeats == 2 }),
        ("drain.timeout", "5s", { $0.client.drainTimeout == .seconds(5) }),
        ("drain.rate", "50", { $0.client.drainRate == 50 }),
        ("threads", "3", { $0.threads == 3 }),
        ("pusher.api", "client", { $0.pusher.api == .client }),
    ]

    @Test
    func `each key is read from the file and from its variable, and the variable wins`() throws {
        #expect(Self.samples.map(\.path).sorted() == SettingKey.all.map(\.path).sorted())
        let scratch = try Scratch()
        for sample in Self.samples {
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

    @Test
    func `each key has a place of its own: what is set by one changes what is read by it and by no other`() throws {
        let defaults = written(Settings())
        #expect(defaults.count == SettingKey.all.count)
        for sample in Self.samples {
            let key = try #require(SettingKey.all.first { $0.path == sample.path })
            var values = written(try Settings.read(file: nil, environment: [key.variable: sample.value]))
            #expect(values[key.path] != defaults[key.path], "\(key.path)")
            values[key.path] = defaults[key.path]
            #expect(values == defaults, "\(key.path)")
        }
    }

    @Test
    func `all keys set at once are all read back`() throws {
        let pairs = try Self.samples.map { sample in
            (try #require(SettingKey.all.first { $0.path == sample.path }).variable, sample.value)
        }
        let settings = try Settings.read(file: nil, environment: Dictionary(uniqueKeysWithValues: pairs))
        for sample in Self.samples { #expect(sample.check(settings), "\(sample.path)") }
    }

    @Test(
        arguments: [
            ("client.maxMessageBytes", "MARTLET_CLIENT_MAX_MESSAGE_BYTES"), ("nodeId", "MARTLET_NODE_ID"),
            ("api.key", "MARTLET_API_KEY"), ("auth.secret", "MARTLET_AUTH_SECRET"), ("redis.url", "MARTLET_REDIS_URL"),
            ("log.level", "MARTLET_LOG_LEVEL"), ("threads", "MARTLET_THREADS"),
        ])
    func `variables are named after their keys`(path: String, variable: String) {
        #expect(SettingKey.all.first { $0.path == path }?.variable == variable)
    }

    @Test
    func `each room is told what was set for it, and what several of them need, wherever Redis lies`() throws {
        var settings = try load(
            "rooms:\n  - pattern: a\n",
            [
                "MARTLET_NODE_ID": "n-1", "MARTLET_CLIENT_PORT": "9000", "MARTLET_CLIENT_MAX_ROOMS": "5",
                "MARTLET_API_MAX_BODY_BYTES": "4096", "MARTLET_REDIS_CONNECT_TIMEOUT": "2s",
                "MARTLET_REDIS_PREFIX": "p",
                "MARTLET_API_KEY": "0123456789abcdef", "MARTLET_WEBHOOKS_URL": "https://a.example/",
                "MARTLET_WEBHOOKS_SECRET": "0123456789abcdef",
            ]
        ).settings
        settings.backend.redis.password = "of another server"
        let sockets = settings.socketConfiguration(authentication: .none)
        #expect(sockets.nodeId == "n-1" && sockets.rules == settings.rooms && sockets.limits.maxRooms == 5)
        #expect(sockets.fence.serves("localhost") && !sockets.fence.serves("evil.example"))
        #expect(sockets.origins.letsIn("http://localhost:3000") && !sockets.origins.letsIn("https://evil.example"))
        let control = settings.controlConfiguration
        #expect(control.clientPort == 9000 && control.maxBodyBytes == 4096 && control.keys == settings.api.keys)
        #expect(control.fence.serves("public.example"))
        let backend = try settings.backendConfiguration(redisURL: "rediss://redis.example:7000/3")
        #expect(backend.nodeId == "n-1" && backend.rules == settings.rooms && backend.prefix == "p")
        #expect(backend.receivers == settings.webhooks.receivers && backend.receivers.count == 1)
        #expect(backend.redis.description == "rediss://redis.example:7000/3" && backend.redis.password == nil)
        #expect(backend.redis.connectTimeout == .seconds(2))
    }
}

/// What each key reads, as the file would say it.
func written(_ settings: Settings) -> [String: String] {
    Dictionary(uniqueKeysWithValues: SettingKey.all.map { ($0.path, $0.written(settings)) })
}
