import GatewayCore
import RedisClient

extension Settings {
    /// What was decided, in readable lines without any secret; the first names the node.
    ///
    /// - Parameters:
    ///   - clientPort: The port that is really bound, where the settings leave it open.
    ///   - apiPort: The same for the api port.
    package func summary(partitions: Int, clientPort: Int? = nil, apiPort: Int? = nil) -> [String] {
        let presence = backend.presence
        let limits = [
            "messages up to \(ByteCount.show(client.maxMessageBytes))",
            "\(client.limits.rate.perSecond) a second (burst \(client.limits.rate.burst))",
            "\(client.limits.maxRooms) rooms a connection",
            "\(ByteCount.show(client.maxQueuedBytes)) queued",
            client.maxConnections == 0 ? nil : "\(client.maxConnections) connections",
            client.maxConnectionsPerAddress == 0 ? nil : "\(client.maxConnectionsPerAddress) from one address",
            presence.maxConnectionsPerUser == 0 ? nil : "\(presence.maxConnectionsPerUser) of one user",
            client.acceptRate == 0 ? nil : "\(client.acceptRate) handshakes a second",
        ]
        let lines = [
            "martlet \(MartletVersion.current), node \(nodeId)",
            "clients  \(clientTLS.isSecure ? "wss" : "ws")://\(Self.place(client.host, clientPort ?? client.port))/ws, \(authSummary)",
            "api      \(apiTLS.isSecure ? "https" : "http")://\(Self.place(api.host, apiPort ?? api.port))/v1, \(keySummary)"
                + (apiTLS.clientAuthorityFile == nil ? "" : " and a client certificate"),
            "redis    \(redisSummary)",
            "rooms    \(partitions) partitions; \(Self.show(rooms.defaultLog)) of each room, "
                + "\(Self.show(rooms.inboxLog)) to a user, \(Self.show(rooms.everyoneLog)) to everyone are kept"
                + (rooms.rules.isEmpty
                    ? "" : "; \(rooms.rules.count) rule\(rooms.rules.count == 1 ? "" : "s") by pattern"),
            "limits   " + limits.compactMap { $0 }.joined(separator: ", "),
            "losses   a user stays online for \(DurationText.show(presence.grace)), "
                + "a session can be resumed for \(DurationText.show(presence.sessionTTL))",
            "beats    a ping every \(DurationText.show(client.heartbeatInterval)), \(client.missedHeartbeats) missed end a connection; "
                + "draining takes up to \(DurationText.show(client.drainTimeout))",
        ]
        return Array(lines.prefix(2)) + appSummary + lines.dropFirst(2) + webhookSummary + archiveSummary
    }

    private var appSummary: [String] {
        guard let first = pusher.apps.first else { return [] }
        let further = pusher.apps.count - 1
        return [
            "pusher   /app/\(first.key)"
                + (further == 0 ? "" : " and \(further) further app\(further == 1 ? "" : "s")")
        ]
    }

    private var authSummary: String {
        guard servesSessions else { return "closed, since auth.mode is left out and apps are there" }
        let mode =
            switch auth.mode {
            case .none: "auth.mode none: every client is who it says it is"
            case .jwt: "auth.mode jwt (\(signers))" + (hook.url == nil ? "" : ", and the backend is asked")
            case .hook: "auth.mode hook: the backend says who a client is"
            }
        return mode + (client.takesGuests ? "; guests are let in" : "")
    }

    /// Where the keys of tokens come from.
    private var signers: String {
        let issuers = auth.issuers.isEmpty ? [auth.common] : auth.issuers
        return issuers.map { issuer in
            let algorithms = issuer.algorithms.isEmpty && !issuer.secrets.isEmpty ? [.hs256] : issuer.algorithms
            let words = algorithms.map(\.rawValue).joined(separator: ", ")
            let place = issuer.secrets.isEmpty ? issuer.sources.joined() : ""
            return [words, place, issuer.name.map { "of \($0)" } ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
        }.joined(separator: "; ")
    }

    private var keySummary: String {
        if isKeyMade { return "with a key made for this run" }
        let named = api.backendKeys.count
        let beside = named == 0 ? "" : "\(named) of api.keysFile"
        switch api.keys.count {
        case 0: return "with \(beside)"
        case 1: return "with the configured key" + (named == 0 ? "" : ", or \(beside)")
        case let count: return "with any of \(count) configured keys" + (named == 0 ? "" : ", or \(beside)")
        }
    }

    private var redisSummary: String {
        guard let url = redisURL else { return "a private one, which keeps nothing and ends with this node" }
        // The description leaves user and password out; a URL that was loaded can be read.
        let place = (try? RedisConfiguration(url: url)).map(\.description) ?? "unreadable"
        return "\(place), keys begin with \(backend.prefix)"
    }

    private static func show(_ limits: LogLimits) -> String {
        if limits.size == 0 { return "no messages" }
        return "\(limits.size) messages or \(ByteCount.show(limits.bytes)) for \(DurationText.show(limits.age))"
    }

    private static func place(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
