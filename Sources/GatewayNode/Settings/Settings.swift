import GatewayCore
import RedisBackend

/// What an operator can decide about a node, with defaults that work on a laptop.
///
/// A plain value: where each field is read from, its unit and its range stand in ``SettingKey/all``.
package struct Settings: Sendable, Equatable {
    /// Unique among the live nodes; empty until ``load(file:environment:host:)`` has filled it.
    package var nodeId = ""
    package var client = Client()
    package var api = API()
    package var auth = Auth()
    package var redis = Redis()
    package var log = Log()
    package var presence = Presence()
    package var session = Session()
    package var heartbeat = Heartbeat()
    package var budget = Budgets()
    package var webhooks = Webhooks()
    package var drain = Drain()
    /// Event loop threads; 0 is one for each core.
    package var threads = 0
    /// Who may do what where, and how much of each room is kept (`rooms`, `log.size`, `log.age` and their like).
    package var rooms = RoomRules()

    package init() {}

    /// The port that clients connect to.
    package struct Client: Sendable, Equatable {
        package var host = "127.0.0.1"
        /// 0 takes any free port.
        package var port = 8080
        package var maxMessageBytes = 65_536
        package var maxRooms = 200
        /// Users one connection may watch.
        package var maxWatched = 1000
        package var messagesPerSecond = 100
        package var messageBurst = 200
        /// Of rooms that the connection is not in.
        package var joinsPerSecond = 10
        package var joinBurst = 200
        package var maxQueuedBytes = 1_048_576
        package var maxUnansweredBytes = 4_194_304
        /// 0 leaves it to the system.
        package var sendBufferBytes = 524_288
        /// 0: a quarter of the memory that the node may use.
        package var memoryBudget = 0
        package var authTimeout = Duration.seconds(10)
        package var handshakeTimeout = Duration.seconds(5)
        /// Origins as browsers write them (`https://app.example`), or `*` for all.
        package var origins = ["*"]
        /// Whether somebody wrote `origins`; where nobody did, a port of this machine alone may be stricter.
        package var areOriginsWritten = false
        /// Addresses or CIDR blocks, checked when they were read.
        package var trustedProxies: [String] = []
        /// 0: the descriptor limit less 500.
        package var maxConnections = 0
        /// From the accept on, IPv6 by /64; 0: no limit.
        package var maxConnectionsPerAddress = 1000
        /// On all nodes together; 0: no limit.
        package var maxConnectionsPerUser = 100
        package var onTooManyConnections = TooManyConnections.refuseNewest
        /// Of a user's connections to this node, within the time that they are remembered; 0: no limit.
        package var dedupeKeysPerUser = 25_000
        /// Handshakes a second; 0: no limit.
        package var acceptRate = 5000
        /// Whether permessage-deflate is taken up where it is offered.
        package var compression = true
        package var echo = false
    }

    /// What happens when a user has one connection more than allowed.
    package enum TooManyConnections: String, Sendable, CaseIterable {
        /// The oldest is closed with 4409.
        case closeOldest
        /// The new one is closed with 4429.
        case refuseNewest
    }

    /// The port for backends.
    package struct API: Sendable, Equatable {
        package var host = "127.0.0.1"
        /// 0 takes any free port.
        package var port = 8081
        /// All of them are valid; never empty in loaded settings.
        package var keys: [String] = []
        /// Whether the one key was made at this start, since none was given.
        package var isKeyMade = false
        package var maxBodyBytes = 1_048_576
        /// From the opening of a connection to the end of its first request's head.
        package var headTimeout = Duration.seconds(10)
    }

    /// Who clients are.
    package struct Auth: Sendable, Equatable {
        package var mode = AuthMode.none
        package var secret: String?
        package var algorithms = ["HS256"]
        package var issuer: String?
        package var audience: String?
        package var leeway = Duration.seconds(1)
    }

    /// Whether clients must show a token.
    package enum AuthMode: String, Sendable, CaseIterable {
        /// Anyone is who they say they are.
        case none
        /// A signed JSON web token says who a client is.
        case jwt
    }

    /// Where the shared state lies.
    package struct Redis: Sendable, Equatable {
        /// Nil: a private one is started with the node.
        package var url: String?
        package var prefix = "m"
        package var commandTimeout = Duration.seconds(5)
        package var connectTimeout = Duration.seconds(5)
        /// How full Redis may be before messages are refused.
        package var budget = MemoryBudget.share(percent: 80)
    }

    /// The node's own log lines, and how much of what rooms keep is sent again; how much they keep stands in ``rooms``.
    package struct Log: Sendable, Equatable {
        package var level = LogLevel.info
        package var format = LogFormat.text
        /// Missed messages of one room that a client which comes back is sent at once.
        package var recoverLimit = 1000
    }

    package enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    package enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    /// How others hear of users who come and go.
    package struct Presence: Sendable, Equatable {
        /// How long a user stays online after an abrupt loss.
        package var grace = Duration.seconds(5)
        /// Who may watch whom.
        package var watch = WatchRight.anyone
        /// Members of a room above which changes are told in bundles.
        package var bundleAbove = 100
        /// Users who are offline, about, of whom it is remembered when they were last seen.
        package var seenUsers = 1_000_000
    }

    /// What outlives a connection.
    package struct Session: Sendable, Equatable {
        package var ttl = Duration.seconds(120)
    }

    /// How silent clients are found.
    package struct Heartbeat: Sendable, Equatable {
        package var interval = Duration.seconds(30)
        /// Pings in a row left unanswered before the connection is closed.
        package var missed = 3
    }

    /// What may be asked of a node, in time of a core for each second; zero sets no limit.
    package struct Budgets: Sendable, Equatable {
        package var stranger = Duration.milliseconds(2)
        package var connection = Duration.milliseconds(100)
        package var user = Duration.milliseconds(200)
        /// Bytes a second.
        package var stored = 64 << 10
        package var room = Duration.milliseconds(400)
        package var node = Duration.milliseconds(750)
    }

    /// How a node that was told to end lets its clients go.
    package struct Drain: Sendable, Equatable {
        package var timeout = Duration.seconds(30)
        /// Clients told to reconnect in each second.
        package var rate = 500
    }
}
