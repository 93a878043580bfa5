import ControlAPI
import Dialects
import GatewayCore
import RedisBackend
import RedisClient
import SocketServer

/// What each room of the house is told: its own configuration, and in it what others of the operator's settings decide.
extension Settings {
    /// `url` is that of the settings, or of the private Redis.
    package func backendConfiguration(redisURL url: String) throws(RedisURLError) -> Backend.Configuration {
        var configuration = backend
        configuration.presence.maxVisitorMembers = client.limits.maxShownMembers
        try configuration.redis.lead(to: url)
        configuration.nodeId = nodeId
        configuration.rules = rooms
        configuration.receivers = webhookConfiguration.receivers
        configuration.presence.counting = counting
        return configuration
    }

    /// - Parameter authorizer: the backend that decides; nil where none does.
    package func socketConfiguration(
        authentication: SocketServerConfiguration.Authentication, authorizer: (any Authorizer)? = nil
    ) -> SocketServerConfiguration {
        var configuration = client
        configuration.nodeId = nodeId
        configuration.version = MartletVersion.current
        configuration.rules = rooms
        configuration.authentication = authentication
        configuration.authorizer = authorizer
        configuration.origins = originRule
        configuration.fence = clientFence
        configuration.turn = turnServers
        configuration.apps = PusherApps(pusher.apps)
        configuration.servesSessions = servesSessions
        return configuration
    }

    package var hookSettings: HookSettings {
        var hook = hook
        hook.takesGuests = client.takesGuests
        return hook
    }

    package var controlConfiguration: ControlConfiguration {
        var configuration = api
        configuration.clientPort = client.port
        configuration.fence = apiFence
        configuration.turn = turnServers
        configuration.apps = PusherApps(pusher.apps)
        return configuration
    }

    /// Which hosts the api port answers: with a key that anybody could guess, none but this machine's own.
    package var apiFence: LoopbackFence {
        fence(of: api.host, isWeak: api.hasWeakKeys)
    }

    /// Which hosts the client port answers.
    package var clientFence: LoopbackFence { fence(of: client.host, isWeak: auth.mode == .none) }

    /// Which hosts a port answers, given what it is bound to and whether it protects weakly.
    func fence(of host: String, isWeak: Bool) -> LoopbackFence {
        LoopbackFence(boundHost: host, isWeak: isWeak, origins: areOriginsWritten ? origins : [])
    }

    /// Which pages may connect.
    package var originRule: OriginRule {
        let isOfThisMachine = auth.mode == .none && LoopbackFence.isLoopback(boundHost: client.host)
        guard isOfThisMachine, !areOriginsWritten else {
            return OriginRule(consoleOrigins.union(origins))
        }
        return OriginRule(consoleOrigins, letsLoopbackIn: true)
    }

    /// Where the console is loaded from: always allowed, however narrow `client.origins` is.
    private var consoleOrigins: Set<String> {
        let scheme = apiTLS.isSecure ? "https" : "http"
        return Set([api.host, "127.0.0.1", "localhost"].map { "\(scheme)://\($0):\(api.port)" })
    }
}
