import ControlAPI
import Dialects
import GatewayCore
import RedisBackend
import RedisClient
import SocketServer
import Webhooks

/// The settings of a node that an operator can decide, with defaults that work on a laptop.
///
/// What one room of the house is told stands, default and all, in that room's configuration; beside them stands what
/// several of them need, or none. A plain value: where each value is read from, its unit and its range stand in
/// ``SettingKey/all``, and what a node fills in at its start in `Settings+Configurations.swift`.
package struct Settings: Sendable {
    /// Unique among the live nodes; empty until ``load(file:environment:host:)`` has filled it.
    package var nodeId = ""
    /// The port that clients connect to, their limits and budgets, and how a node lets them go.
    package var client = SocketServerConfiguration()
    /// The port for backends; without keys until ``load(file:environment:host:)`` has filled them in.
    package var api = ControlConfiguration(keys: [])
    /// How Redis is used, and what presence and messages may take of it; where it is says ``redisURL``.
    package var backend = Backend.Configuration(
        redis: RedisConfiguration(), nodeId: "", version: MartletVersion.current, rules: RoomRules())
    /// Who is told of events.
    package var webhooks = WebhookConfiguration(receivers: [], secrets: [])
    /// Who may do what where, and how much of each room is kept (`rooms`, `log.size`, `log.age` and their like).
    package var rooms = RoomRules()
    /// What makes the port for clients speak TLS.
    package var clientTLS = TLSFiles()
    /// The same of the port for backends.
    package var apiTLS = TLSFiles()
    package var auth = Auth()
    /// The backend that decides about clients.
    package var hook = HookSettings()
    package var log = Log()
    /// The TURN servers that clients are given credentials for.
    package var turn = Turn()
    /// The apps whose clients speak Pusher's protocol.
    package var pusher = Pusher()
    /// What a worker of the archive does; nodes only fill the streams.
    package var archive = Archive()
    /// Where spans go, and how many are made.
    package var tracing = Tracing()
    /// Where the shared state lies; nil: a private Redis is started with the node.
    package var redisURL: String?
    /// Origins as browsers write them (`https://app.example`), or `*` for all.
    package var origins = ["*"]
    /// Whether clients that speak the gateway's own dialect are served: not where apps are there and nobody said `auth.mode`.
    package var servesSessions = true
    /// Whether somebody wrote `client.origins`; where nobody did, a port of this machine alone may be stricter.
    package var areOriginsWritten = false
    /// The file of keys beside those of `api.key`.
    package var apiKeysFile: String?
    /// Whether the one API key was made at this start, since none was given.
    package var isKeyMade = false
    /// What all that waits may take together; 0: a quarter of the memory that the node may use.
    package var memoryBudget = 0
    /// Event loop threads; 0 is one for each core.
    package var threads = 0

    package init() {}

    /// The authentication of clients; how far clocks may differ is among the client port's limits.
    package struct Auth: Sendable {
        package var mode = AuthMode.none
        /// The one issuer; or, where there are several, what holds for those that do not say otherwise.
        package var common = Issuer()
        package var issuers: [Issuer] = []
        /// A PEM file with authorities to trust beside the system's, where keys come from URLs.
        package var authorityFile: String?
    }

    /// One who signs tokens; it has one of `secrets`, `keyFile` and `jwks`.
    package struct Issuer: Hashable, Sendable {
        /// What `iss` must be.
        package var name: String?
        package var audience: String?
        /// Empty: all that fit the keys; of secrets HS256 alone.
        package var algorithms: [SignatureAlgorithm] = []
        package var secrets: [String] = []
        /// The path of a PEM file.
        package var keyFile: String?
        /// A path or an https URL.
        package var jwks: String?
        package var names = ClaimNames()
    }

    /// TURN servers, and the secret that they share with the gateway.
    package struct Turn: Sendable {
        package var urls: [String] = []
        package var secret: String?
        /// Of credentials.
        package var life = Duration.seconds(3600)
    }

    /// Apps, and what their clients may do who only know a key.
    package struct Pusher: Sendable {
        /// The one app that variables can give; complete, or not there.
        package var appId: String?
        package var key: String?
        package var secrets: [String] = []
        /// All of them once ``load(file:environment:host:)`` has put that one to those of the file.
        package var apps: [PusherApp] = []
        /// Which port answers calls of backends.
        package var api = CallsPort.api
        /// What holds for all apps.
        package var maxEventBytes = 10_240
        package var activityTimeout = Duration.seconds(120)
        /// Who is told of events by the apps' own lists.
        package var receivers: [WebhookReceiver] = []
        /// Where no rule of `rooms` says what guests may; decided by `auth.mode` where nobody wrote it.
        package var publicRooms: [RoomPattern] = SettingKey.allRooms
    }

    /// The port that answers the calls of apps' backends.
    package enum CallsPort: String, Sendable, CaseIterable {
        case api
        /// That one and the port for clients.
        case client
    }

    /// Traces of calls.
    package struct Tracing: Sendable {
        /// Of the collector; nil: no spans are made.
        package var url: String?
        /// Of requests without a trace of their own, as a part of 1.
        package var sample = 0.01
    }

    /// The archive's database, and how a worker writes to it.
    package struct Archive: Sendable {
        /// As it was written, and checked.
        package var url: String?
        package var password: String?
        /// Zero: for ever.
        package var keep = Duration.zero
        package var recoverLimit = 10_000
        package var connections = 2
        package var host = "127.0.0.1"
        package var port = 8082
    }

    /// The rule on whether clients must show a token.
    package enum AuthMode: String, Sendable, CaseIterable {
        /// Anyone is who they say they are.
        case none
        /// A signed JSON web token says who a client is.
        case jwt
        /// The backend says it, by whatever the client shows.
        case hook
    }

    /// The node's own log lines.
    package struct Log: Sendable {
        package var level = LogLevel.info
        package var format = LogFormat.text
    }

    package enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    package enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }
}
