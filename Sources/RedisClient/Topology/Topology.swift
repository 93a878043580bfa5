/// The way in which a deployment's servers are found.
package enum Topology: Sendable, Hashable {
    /// One server, always at the same address.
    case single(RedisConfiguration.Endpoint)
    /// One primary, at the address that most of the sentinels name.
    case sentinel(Sentinels)

    /// As the outside is told it.
    package var name: String {
        switch self {
        case .single: "single"
        case .sentinel: "sentinel"
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

    static func endpoint(host: String, port: String) -> RedisConfiguration.Endpoint? {
        guard !host.isEmpty, let number = UInt16(port), number > 0 else { return nil }
        return .tcp(host: host, port: Int(number))
    }
}
