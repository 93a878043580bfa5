/// The configuration of one Redis: how to reach it, and how long to wait for it.
package struct RedisConfiguration: Sendable {
    package enum Endpoint: Sendable, Hashable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// What must be at the other end of a link.
    package enum Peer: Sendable, Hashable {
        case primary
        case sentinel
        /// Any server of a Cluster, asked for what it knows of the others.
        case clusterMember
    }

    package var topology: Topology
    package var peer = Peer.primary
    /// TLS with the certificate verified against the system's authorities, or `certificateAuthorityFile`.
    package var tls = false
    /// A PEM file with the authorities to trust in place of the system's.
    package var certificateAuthorityFile: String?
    /// The name that certificates must be for, where it is another than the one that is dialled.
    package var serverName: String?
    /// PEM files with the certificate that is shown to servers which ask for one, and its key; both or neither.
    package var certificateFile: String?
    package var keyFile: String?
    package var username: String?
    package var password: String?
    package var database = 0
    /// Shown by `CLIENT LIST`; without blanks.
    package var clientName: String?
    /// From dialling to the end of the greeting.
    package var connectTimeout: Duration = .seconds(5)
    /// The same for the first two attempts after a break, where a third must follow soon; nil: as long as any.
    package var quickConnectTimeout: Duration?
    /// A command's deadline where it gives none; also how long the oldest unanswered command may keep the link.
    package var commandTimeout: Duration = .seconds(5)
    /// How long the link may be down until new commands fail at once instead of waiting for it, and how long the oldest
    /// command may be without an answer until those fail at once that are sent with `StallPolicy.fail`.
    package var failFastAfter: Duration = .seconds(1)
    /// The longest pause between two attempts to connect; the actual one is drawn from zero to the present ceiling.
    package var reconnectCeiling: Duration = .seconds(2)
    /// A link without traffic is pinged after this long.
    package var pingInterval: Duration = .seconds(1)
    /// A ping without an answer for this long breaks the link.
    package var pingTimeout: Duration = .seconds(3)
    /// Commands without an answer, on the wire or waiting; the next one fails as unavailable.
    package var maxQueuedCommands = 100_000
    /// Their arguments' bytes, about; the next command fails as unavailable.
    package var maxQueuedBytes = 256 * 1024 * 1024
    /// Bytes of commands written and not answered: more wait unwritten, so that what Redis leaves unread is not kept twice.
    package var maxBytesOnWire = 4 * 1024 * 1024
    /// The memory that one reply may take; a larger one breaks the link.
    package var maxReplyBytes = 128 * 1024 * 1024
    /// Of a command link: what becomes of commands without an answer where the next connection leads to another server.
    package var onAnotherServer = OnAnotherServer.sendAgain
    /// Of a command link: which copies a command must have before its caller is answered; nil for none.
    package var confirmation: ReplicaConfirmation?

    package init(endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 6379)) {
        topology = .single(endpoint)
    }
}

/// The policy for commands that one server has not answered, or was never sent, and another might.
package enum OnAnotherServer: Sendable, Hashable {
    case sendAgain
    /// What they say was true of the first only.
    case fail
}

/// Answers are held back until `WAIT` says that replicas have what the command wrote.
///
/// A command that writes nothing is not covered by it: since Redis 7.2, WAIT looks at the connection's last write.
package struct ReplicaConfirmation: Sendable, Hashable {
    package var replicas = 1
    /// How long one WAIT holds the link. A command that comes meanwhile waits for the rest of it and for its own, so
    /// twice this should be less than a command's deadline.
    package var timeout: Duration

    package init(timeout: Duration) {
        self.timeout = timeout
    }
}

extension RedisConfiguration: CustomStringConvertible {
    /// Where it leads, without user, password or query.
    package var description: String {
        let scheme = tls ? "rediss" : "redis"
        let query = database == 0 ? "" : "?db=\(database)"
        return switch (topology, peer) {
        case (.single(let endpoint), .sentinel): "sentinel \(endpoint)"
        case (.single(let endpoint), .clusterMember): "Cluster's server \(endpoint)"
        case (.single(.tcp(let host, let port)), .primary):
            "\(scheme)://\(Endpoint.tcp(host: host, port: port))/\(database)"
        case (.single(.unix(let path)), .primary): "unix://\(path)\(query)"
        case (.sentinel(let sentinels), _):
            "\(scheme)+sentinel://\(sentinels.places.map(\.description).joined(separator: ","))/\(sentinels.name)\(query)"
        case (.cluster(let seeds), _):
            "\(scheme)+cluster://\(seeds.map(\.description).joined(separator: ","))"
        }
    }
}

extension RedisConfiguration.Endpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): path
        }
    }
}
