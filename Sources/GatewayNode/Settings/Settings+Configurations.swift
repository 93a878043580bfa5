import ControlAPI
import GatewayCore
import NIOCore
import RedisBackend
import RedisClient
import SocketServer

/// What each room of the house is told, out of the operator's settings.
extension Settings {
    /// `url` is that of the settings, or of the private Redis.
    func backendConfiguration(redisURL url: String) throws(RedisURLError) -> Backend.Configuration {
        var redis = try RedisConfiguration(url: url)
        redis.connectTimeout = self.redis.connectTimeout
        redis.commandTimeout = self.redis.commandTimeout
        var configuration = Backend.Configuration(
            redis: redis, nodeId: nodeId, version: MartletVersion.current, rules: rooms)
        configuration.prefix = self.redis.prefix
        configuration.memoryBudget = self.redis.budget
        configuration.maxMarksPerUser = client.dedupeKeysPerUser
        configuration.presence.grace = presence.grace
        // Names fall evenly into the partitions.
        configuration.presence.seenUsers = (presence.seenUsers + Partition.count - 1) / Partition.count
        configuration.presence.sessionLife = session.ttl + configuration.presence.renewal
        configuration.presence.maxConnectionsPerUser = client.maxConnectionsPerUser
        configuration.presence.surplus =
            switch client.onTooManyConnections {
            case .closeOldest: .closeOldest
            case .refuseNewest: .refuseNewest
            }
        configuration.recoverLimit = log.recoverLimit
        configuration.receivers = webhooks.receivers
        configuration.webhookLedger.backlog = webhooks.backlog
        configuration.webhookLedger.bytes = webhooks.backlogBytes
        return configuration
    }

    func socketConfiguration(
        authentication: SocketServerConfiguration.Authentication
    ) -> SocketServerConfiguration {
        var configuration = SocketServerConfiguration()
        configuration.host = client.host
        configuration.port = client.port
        configuration.nodeId = nodeId
        configuration.authentication = authentication
        configuration.rules = rooms
        configuration.maxMessageBytes = client.maxMessageBytes
        configuration.limits.maxRooms = client.maxRooms
        configuration.limits.maxWatched = client.maxWatched
        configuration.watchRight = presence.watch
        configuration.presenceBundleAbove = presence.bundleAbove
        configuration.limits.rate = RateLimit(perSecond: client.messagesPerSecond, burst: client.messageBurst)
        configuration.limits.joins = RateLimit(perSecond: client.joinsPerSecond, burst: client.joinBurst)
        configuration.budgets = BudgetSettings(
            stranger: Allowance(perSecond: budget.stranger), connection: Allowance(perSecond: budget.connection),
            user: Allowance(perSecond: budget.user), room: Allowance(perSecond: budget.room),
            node: Allowance(perSecond: budget.node), storedBytesPerSecond: budget.stored)
        configuration.maxQueuedBytes = client.maxQueuedBytes
        configuration.maxUnansweredBytes = client.maxUnansweredBytes
        configuration.sendBufferBytes = client.sendBufferBytes
        configuration.limits.authTimeout = client.authTimeout
        configuration.limits.leeway = auth.leeway
        configuration.origins = originRule
        configuration.fence = clientFence
        configuration.trustedProxies = client.trustedProxies.compactMap { AddressRange($0) }
        configuration.maxConnections = client.maxConnections
        configuration.maxConnectionsPerAddress = client.maxConnectionsPerAddress
        configuration.acceptRate = client.acceptRate
        configuration.heartbeatInterval = heartbeat.interval
        configuration.missedHeartbeats = heartbeat.missed
        configuration.isCompressing = client.compression
        configuration.isEchoing = client.echo
        configuration.handshakeTimeout = client.handshakeTimeout
        configuration.drainTimeout = drain.timeout
        configuration.drainRate = drain.rate
        return configuration
    }

    var controlConfiguration: ControlConfiguration {
        ControlConfiguration(
            host: api.host, port: api.port, keys: api.keys, maxBodyBytes: api.maxBodyBytes, clientPort: client.port,
            headTimeout: api.headTimeout, fence: apiFence)
    }

    /// Which hosts the api port answers: with a key that anybody could guess, none but this machine's own.
    package var apiFence: LoopbackFence {
        fence(of: api.host, isWeak: api.keys.contains { KeyStrength.problem(withAPIKey: $0) != nil })
    }

    /// Which hosts the client port answers.
    package var clientFence: LoopbackFence { fence(of: client.host, isWeak: auth.mode == .none) }

    /// Which hosts a port answers, given what it is bound to and whether it protects weakly.
    func fence(of host: String, isWeak: Bool) -> LoopbackFence {
        LoopbackFence(boundHost: host, isWeak: isWeak, origins: client.areOriginsWritten ? client.origins : [])
    }

    /// Which pages may connect.
    package var originRule: OriginRule {
        let isOfThisMachine = auth.mode == .none && LoopbackFence.isLoopback(boundHost: client.host)
        guard isOfThisMachine, !client.areOriginsWritten else {
            return OriginRule(consoleOrigins.union(client.origins))
        }
        return OriginRule(consoleOrigins, letsLoopbackIn: true)
    }

    /// Where the console is loaded from: always allowed, however narrow `client.origins` is.
    private var consoleOrigins: Set<String> {
        Set([api.host, "127.0.0.1", "localhost"].map { "http://\($0):\(api.port)" })
    }
}
