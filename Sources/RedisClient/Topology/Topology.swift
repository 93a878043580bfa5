/// The way in which a deployment's servers are found.
package enum Topology: Sendable, Hashable {
    /// One server, always at the same address.
    case single(RedisConfiguration.Endpoint)
    /// One primary, at the address that most of the sentinels name.
    case sentinel(Sentinels)
    /// Several primaries, each with some of the slots; any of these servers leads to all.
    case cluster(seeds: [RedisConfiguration.Endpoint])

    /// Whether keys lie on several servers.
    package var isSharded: Bool {
        switch self {
        case .single, .sentinel: false
        case .cluster: true
        }
    }

    /// As the outside is told it.
    package var name: String {
        switch self {
        case .single: "single"
        case .sentinel: "sentinel"
        case .cluster: "cluster"
        }
    }
}

/// The sentinels that a URL names, and what they call the primary.
package struct Sentinels: Sendable, Hashable {
    package static let defaultPort = 26379
    /// What each announces when it follows another primary.
    static let announcementChannel = "+switch-master"

    package var places: [RedisConfiguration.Endpoint]
    package var name: String
    /// Their own, not Redis's.
    package var password: String?

    package init(places: [RedisConfiguration.Endpoint], name: String, password: String? = nil) {
        self.places = places
        self.name = name
        self.password = password
    }

    /// Where this primary is by an announcement, `name old-host old-port new-host new-port`; nil where it is about another.
    package func announced(_ payload: String) -> RedisConfiguration.Endpoint? {
        let words = payload.split(separator: " ")
        guard words.count == 5, words[0] == name else { return nil }
        return Sentinels.endpoint(host: String(words[3]), port: String(words[4]))
    }

    /// What a sentinel says of a place; nil where it is none: it is shown in logs, and every machine reads `0.0.0.0` and `::` as
    /// itself.
    package static func endpoint(host: String, port: String) -> RedisConfiguration.Endpoint? {
        guard (1...255).contains(host.utf8.count), host.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            host != "0.0.0.0", host != "::", let number = UInt16(port), number > 0
        else { return nil }
        return .tcp(host: host, port: Int(number))
    }
}
