import Dialects
import GatewayCore
import NIOSSL

/// The configuration of the api port.
package struct ControlConfiguration: Sendable {
    /// The address to listen on.
    package var host: String
    /// 0 lets the system choose; `ControlServer` tells which one it became.
    package var port: Int
    /// Each of them opens `/v1`; several make it possible to change a key without an interruption. Without any, nothing does.
    package var keys: [String]
    /// Keys beside those, each of which opens as much as it says.
    package var backendKeys: [BackendKey] = []
    /// What a request's body may hold; more is answered 413.
    package var maxBodyBytes: Int
    /// Where the console looks for WebSockets by itself: on the host it was loaded from, at this port, or behind a proxy
    /// at one that lies as far from the proxy's as this one from `port`.
    package var clientPort: Int
    /// Where there are as many, the one that rests longest gives way to the next; see `ConnectionSlots`. A node sets it to
    /// the port's share of the descriptors.
    package var maxConnections: Int
    /// A fresh connection that has sent no complete head in this time is closed.
    package var headTimeout: Duration
    /// A connection whose last request was answered, and on which no other comes, is closed after this time. It is longer
    /// than the 60 s for which Nginx keeps connections: a request sent into one that closes just then would be lost.
    package var idleTimeout: Duration
    /// A body that has not come in this time ends its connection.
    package var bodyTimeout: Duration
    /// Which hosts are answered.
    package var fence: LoopbackFence
    /// What each new connection speaks TLS with; nil: the port is plain.
    package var tls: (@Sendable () -> NIOSSLContext)?
    /// Whether all but the probes takes a client's certificate, which the TLS library has then found to be good.
    package var needsClientCertificate = false
    /// Nil where there are no TURN servers.
    package var turn: TurnServers?
    /// Those whose backends are served Pusher's HTTP API; without any, it is not there.
    package var apps = PusherApps()

    package init(
        host: String = "127.0.0.1", port: Int = 8081, keys: [String], maxBodyBytes: Int = 1 << 20,
        clientPort: Int = 8080, maxConnections: Int = 1000, headTimeout: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(90), bodyTimeout: Duration = .seconds(30), fence: LoopbackFence = .open
    ) {
        self.host = host
        self.port = port
        self.keys = keys
        self.maxBodyBytes = maxBodyBytes
        self.clientPort = clientPort
        self.maxConnections = maxConnections
        self.headTimeout = headTimeout
        self.idleTimeout = idleTimeout
        self.bodyTimeout = bodyTimeout
        self.fence = fence
    }

    /// Whether anybody could guess one of the keys.
    package var hasWeakKeys: Bool {
        keys.contains { KeyStrength.problem(withAPIKey: $0) != nil } || backendKeys.contains(where: \.isWeak)
    }
}
