import GatewayCore

extension SettingKey {
    /// Every scalar key, in the order of the explained file.
    package static let all: [SettingKey] =
        node + client + clientTLS + budget + api + apiTLS + auth + hooks + redis + canary + log + presence + webhooks
        + turn + pusher + archive + tracing + running

    private static let node = [
        SettingKey(
            "nodeId", \.nodeId, .text("1 to 64 of A-Z a-z 0-9 . _ -", check: SettingCheck.nodeId),
            "The name of this node, unique among the live ones; left out, the host's name and four random characters.")
    ]

    private static let client = [
        SettingKey(
            "client.host", \.client.host, .text("address or host name", check: SettingCheck.host),
            "The address that the port for clients is bound to; 0.0.0.0 is all of IPv4, :: is all."),
        SettingKey(
            "client.port", \.client.port, .integer(0...65_535),
            "The port for clients (/ws, /healthz); 0 takes any free one."),
        SettingKey(
            "client.maxMessageBytes", \.client.maxMessageBytes, .bytes(1024...(16 << 20)),
            "The longest message a client may send; above it the connection is closed with 1009."),
        SettingKey(
            "client.maxRooms", \.client.limits.maxRooms, .integer(1...100_000),
            "How many rooms one connection may be in."),
        SettingKey(
            "client.maxWatched", \.client.limits.maxWatched, .integer(1...100_000),
            "How many users one connection may watch."),
        SettingKey(
            "client.messagesPerSecond", \.client.limits.rate.perSecond, .integer(1...1_000_000),
            "Frames a second from one connection in the long run, 50 users watched being one; more are rate_limited."),
        SettingKey(
            "client.messageBurst", \.client.limits.rate.burst, .integer(1...1_000_000),
            "How many frames one connection may send at once."),
        SettingKey(
            "client.joinsPerSecond", \.client.limits.joins.perSecond, .integer(1...1_000_000),
            """
            How many rooms a second one connection may join in the long run, since each join is told to all members; \
            more are rate_limited. All connections of a user on this node together join ten times as many, and 500 at \
            once by default, since Redis keeps what is known of a room for some minutes.
            """),
        SettingKey(
            "client.joinBurst", \.client.limits.joins.burst, .integer(1...1_000_000),
            "How many rooms one connection may join at once, as a page that is loaded does."),
        SettingKey(
            "client.maxQueuedBytes", \.client.maxQueuedBytes, .bytes((16 << 10)...(1 << 30)),
            """
            How much may wait in the node for one slow connection. From half of it on its rooms are sent to it from the \
            log, at the pace at which it reads; it is closed with 4413 where answers and the like alone are more, or where \
            it has taken nothing of what waits for 30 seconds.
            """),
        SettingKey(
            "client.maxUnansweredBytes", \.client.maxUnansweredBytes, .bytes((64 << 10)...(1 << 30)),
            """
            How much of one connection's messages may be on its way to Redis without an answer; more are unavailable, so \
            that a Redis that stands still does not fill the node.
            """),
        SettingKey(
            "client.sendBufferBytes", \.client.sendBufferBytes, .bytes(0...(64 << 20)),
            """
            How much the system may keep for one connection whose client does not read; by itself Linux lets it grow to \
            4 MiB. A reader 100 ms away can get about five times as much a second. 0 leaves it to the system.
            """),
        SettingKey(
            "client.memoryBudget", \.memoryBudget, .bytes(0...(1 << 40)),
            """
            How much all that waits may take together: for sockets, to be caught up with, for Redis, between threads, and \
            as half messages. Above it the connections for which most is held are sent their rooms from the log, then \
            closed with 4413. 0 is a quarter of the memory that the process may use.
            """),
        SettingKey(
            "client.authTimeout", \.client.limits.authTimeout, .duration(.milliseconds(100)...(.seconds(300))),
            "How long a connection may take to show its token, or wait for Redis, after the handshake."),
        SettingKey(
            "client.handshakeTimeout", \.client.handshakeTimeout, .duration(.milliseconds(100)...(.seconds(300))),
            """
            How long a handshake may take, from the accept to the end of its headers. One round trip is enough for an \
            honest client; whoever takes longer holds a place that others want.
            """),
        SettingKey(
            "client.origins", \.origins, .list("origins, or *", atLeast: 1, show: { $0 }, form: SettingCheck.origin),
            """
            The pages that may connect, such as https://app.example; * is any (tokens are what protects). Left out, \
            with auth.mode none on a loopback client.host, it is the pages of this machine, and then no request is \
            answered that asks for another host than this machine: else any site could use the port (DNS rebinding).
            """),
        SettingKey(
            "client.trustedProxies", \.client.trustedProxies,
            .list("addresses or CIDR blocks", show: \.description, form: SettingCheck.addressBlock),
            "The proxies, such as 10.0.0.0/8, whose X-Forwarded-For is believed."),
        SettingKey(
            "client.maxConnections", \.client.maxConnections, .integer(0...10_000_000),
            """
            How many connections this node takes; 0 is the descriptor limit less 500, to which more is cut. Of the \
            descriptors that are left two fifths, 1000 at most, are for connections of the api port. At most a quarter \
            of the clients may be strangers: handshakes under way, and sockets without a good token (with auth.mode \
            none, a userId). Where there are too many of those, one of the address with most gives way.
            """),
        SettingKey(
            "client.maxConnectionsPerAddress", \.client.maxConnectionsPerAddress, .integer(0...10_000_000),
            """
            How many sockets one address (of IPv6, one /64) may hold on this node, from the accept on; above it the \
            answer is 429. 1000 leaves room for a whole campus behind one address, while a node has many thousands. \
            Loopback is not counted; behind client.trustedProxies the address that they name is. 0 sets no limit.
            """),
        SettingKey(
            "client.maxConnectionsPerUser", \.backend.presence.maxConnectionsPerUser, .integer(0...10_000),
            """
            How many connections one user may hold on all nodes together, far more than one has tabs and devices: each \
            costs memory in every room that it is in. 0 sets no limit.
            """),
        SettingKey(
            "client.onTooManyConnections", \.backend.presence.surplus, .choice,
            """
            What happens when a user has one connection too many: the new one is closed with 4429, or the user's oldest \
            with 4409, so that whoever has a user's token can close what that user has open.
            """),
        SettingKey(
            "client.dedupeKeysPerUser", \.backend.maxMarksPerUser, .integer(0...10_000_000),
            """
            How many messages with a dedupe key one user's connections to this node may send within the two minutes for \
            which each key is remembered; more are rate_limited. One connection at its full rate stays below half of the \
            default, which takes some 6 MB of Redis. 0 sets no limit.
            """),
        SettingKey(
            "client.acceptRate", \.client.acceptRate, .integer(0...1_000_000),
            """
            How many handshakes a second this node takes, a quarter of them kept for clients that come back to a \
            session; above it, 503 with Retry-After. 5000 takes in 12,000 clients of a lost node within 3 s. \
            Loopback is not counted. 0 sets no limit.
            """),
        SettingKey(
            "client.compression", \.client.isCompressing, .boolean,
            "Whether messages are compressed for clients that offer it (permessage-deflate)."),
        SettingKey(
            "client.echo", \.client.isEchoing, .boolean,
            "Whether /echo answers: a bare WebSocket echo for conformance suites."),
    ]

    private static let api = [
        SettingKey(
            "api.host", \.api.host, .text("address or host name", check: SettingCheck.host),
            "The address that the port for backends is bound to; it belongs into no public network."),
        SettingKey(
            "api.port", \.api.port, .integer(0...65_535),
            "The port for backends (/v1, /metrics, /readyz, /console); 0 takes any free one."),
        SettingKey(
            "api.key", \.api.keys, .list("keys", check: SettingCheck.apiKey), shownAs: "\"\"", isSecret: true,
            """
            What backends show as bearer token; each of several is valid, so that they can be changed one by one. \
            Left out, one is made at the start, but only without redis.url. Where api.host can be reached from elsewhere \
            a well-known one, or one below 16 bytes, is refused: openssl rand -hex 32 makes a good one.
            """),
        SettingKey(
            "api.keysFile", \.apiKeysFile, .optional("YAML file"),
            """
            Keys that open less than those of api.key: a list of name, key or sha256 (its hash), scopes (read, broadcast, \
            moderate, admin), and where they bind it rooms (patterns) and rate (requests a second). A file that changed is \
            read again within a minute, on SIGHUP at once.
            """),
        SettingKey(
            "api.maxBodyBytes", \.api.maxBodyBytes, .bytes(1024...(64 << 20)),
            "The longest body of a request; above it the answer is 413."),
        SettingKey(
            "api.headTimeout", \.api.headTimeout, .duration(.milliseconds(100)...(.seconds(300))),
            """
            How long a fresh connection may take to the end of its first request's head: who takes longer holds a place \
            for nothing. One that was answered may rest for 90s, since Nginx keeps connections for 60s.
            """),
    ]

    private static let redis = [
        SettingKey(
            "redis.url", \.redisURL,
            .optional(
                "redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://",
                check: SettingCheck.redisURL),
            isSecret: true,
            """
            The Redis (7.0 or later) that all nodes share: redis://user:password@host:6379/0, or, where sentinels say \
            where it is, redis+sentinel://user:password@host:26379,host:26379,host:26379/NAME, or, of a Redis or Valkey \
            Cluster, redis+cluster://user:password@host:6379,host:6379. Left out, the node starts a private one that \
            keeps nothing and serves this node alone.
            """),
        SettingKey(
            "redis.prefix", \.backend.prefix, .text("1 to 32 of A-Z a-z 0-9 . _ -", check: SettingCheck.prefix),
            "What every key in Redis begins with."),
        SettingKey(
            "redis.commandTimeout", \.backend.redis.commandTimeout, .duration(.milliseconds(100)...(.seconds(300))),
            "How long Redis may take to answer before a request fails as unavailable."),
        SettingKey(
            "redis.connectTimeout", \.backend.redis.connectTimeout, .duration(.milliseconds(100)...(.seconds(300))),
            "How long one attempt to connect to Redis may take."),
        SettingKey(
            "redis.failoverGrace", \.backend.presence.failoverGrace, .duration(.zero...(.seconds(3600))),
            """
            For how long after nodes began to meet another Redis, by a failover or a restart, nobody is told offline for \
            not having registered with it yet; behind a plain address also after a replica has gone, which may be promoted, \
            until it is back. It should outlast what a failover takes: some 11s with Sentinel.
            """),
        SettingKey(
            "redis.budget", \.backend.memoryBudget, .memoryBudget,
            """
            How full Redis may be before messages are refused as unavailable, so that there is room left for logins, joins \
            and leaves; a share of Redis's maxmemory, or bytes. 0 refuses nothing before Redis does, which then refuses \
            those too.
            """),
    ]

    private static let canary = [
        SettingKey(
            "canary.interval", \.backend.canaryInterval, .duration(.zero...(.seconds(300))),
            """
            How often the node sends itself a message through Redis, which must come back within two of these: else \
            /readyz is 503 and the subscriptions are made anew. 0s sends none.
            """)
    ]

    private static let log = [
        SettingKey(
            "log.level", \.log.level, .choice,
            "From which level on the node writes log lines."),
        SettingKey(
            "log.format", \.log.format, .choice,
            "How log lines look."),
        SettingKey(
            "log.size", \.rooms.defaultLog.size, logSize,
            "How many messages Redis keeps of a room for those who come back; 0 keeps none."),
        SettingKey(
            "log.bytes", \.rooms.defaultLog.bytes, logBytes,
            """
            How many bytes of messages Redis keeps of a room, whatever log.size says: what it costs at most that a room was \
            written to. The default is 1,000 messages of 4 KiB.
            """),
        SettingKey(
            "log.age", \.rooms.defaultLog.age, logAge,
            "How long Redis keeps a room's messages."),
        SettingKey(
            "log.recoverLimit", \.backend.recoverLimit, .integer(1...10_000),
            "How many missed messages of one room a client that comes back is sent at once; more follow in parts."),
        SettingKey(
            "log.inboxSize", \.rooms.inboxLog.size, logSize,
            "How many messages to one user (the inbox) Redis keeps."),
        SettingKey(
            "log.inboxBytes", \.rooms.inboxLog.bytes, logBytes,
            "How many bytes of messages to one user Redis keeps."),
        SettingKey(
            "log.inboxAge", \.rooms.inboxLog.age, logAge,
            "How long Redis keeps messages to one user."),
        SettingKey(
            "log.everyoneSize", \.rooms.everyoneLog.size, logSize,
            "How many messages to everyone (*) Redis keeps."),
        SettingKey(
            "log.everyoneBytes", \.rooms.everyoneLog.bytes, logBytes,
            "How many bytes of messages to everyone Redis keeps."),
        SettingKey(
            "log.everyoneAge", \.rooms.everyoneLog.age, logAge,
            "How long Redis keeps messages to everyone."),
        SettingKey(
            "log.durability", \.rooms.defaultDurability, durability,
            """
            When a publish is acknowledged, to inboxes and everyone (*) too: as soon as Redis has it, or not before a \
            replica has it as well; with none it fails as unavailable.
            """),
        SettingKey(
            "log.streamSize", \.rooms.streamSize, .integer(1...1_000_000),
            """
            How many messages Redis keeps in each of the 64 streams for a backend's own consumers, of rooms with \
            stream: true.
            """),
        SettingKey(
            "log.streamBytes", \.rooms.streamBytes, logBytes,
            "How many bytes each of those streams holds; 64 times as much are the most that they take together."),
    ]

    private static let presence = [
        SettingKey(
            "presence.grace", \.backend.presence.grace, .duration(.zero...(.seconds(300))),
            "How long a user stays online after a connection was lost without a farewell."),
        SettingKey(
            "presence.watch", \.client.watchRight, .choice,
            """
            Whom a client may watch: anyone whose name it knows; with sameRoom those who are in a room with it at that \
            moment, where it may know who is there (asked of Redis for each user and room); or nobody.
            """),
        SettingKey(
            "presence.bundleAbove", \.client.presenceBundleAbove, .integer(0...1_000_000),
            "In rooms with more members, those who come and go in the same quarter of a second are told in one frame."),
        SettingKey(
            "presence.seenUsers", \.backend.presence.seenUsers, .integer(0...1_000_000_000),
            """
            Of how many users who are offline it is remembered for 30 days when they were last seen; beyond that the \
            longest away are forgotten. Each takes 110 to 260 bytes of Redis, more the longer its id.
            """),
        SettingKey(
            "session.ttl", \.backend.presence.sessionTTL, .duration(.seconds(1)...(.seconds(86_400))),
            "How long a client may take to come back and find itself in its rooms again."),
    ]

    private static let running = [
        SettingKey(
            "heartbeat.interval", \.client.heartbeatInterval, .duration(.seconds(1)...(.seconds(600))),
            "How often each connection is pinged."),
        SettingKey(
            "heartbeat.missed", \.client.missedHeartbeats, .integer(1...100),
            "After how many pings in a row without a sign of life a connection is closed with 4408."),
        SettingKey(
            "drain.timeout", \.client.drainTimeout, .duration(.zero...(.seconds(3600))),
            "How long a node that was told to end waits for its clients to move."),
        SettingKey(
            "drain.rate", \.client.drainRate, .integer(1...1_000_000),
            "How many clients a second such a node sends elsewhere."),
        SettingKey(
            "threads", \.threads, .integer(0...1024),
            "How many threads serve connections; 0 is one for each core."),
    ]

    /// The kinds that entries of `rooms` share with `log.size`, `log.bytes`, `log.age` and `log.durability`.
    static let logSize = SettingKind<Int>.integer(0...1_000_000)
    static let logBytes = SettingKind<Int>.bytes((64 << 10)...(1 << 40))
    static let durability = SettingKind<Durability>.choice
    static let logAge = SettingKind<Duration>.duration(.seconds(1)...(.seconds(8760 * 3600)))
}
