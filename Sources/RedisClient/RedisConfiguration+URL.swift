import ServerTrust

/// The reason why a Redis URL cannot be used. The text holds nothing of user, password or query values.
package struct RedisURLError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension RedisConfiguration {
    /// What a URL says, and defaults beside it; see ``lead(to:)``.
    package init(url: String) throws(RedisURLError) {
        self.init()
        try lead(to: url)
    }

    /// Goes where a URL leads, as whom it names; everything else stays. Where it throws, the value is of no more use.
    ///
    /// Reads `redis://[user[:password]@]host[:port][/db]`, the same with `rediss://` for TLS,
    /// `unix:///path[?db=n&user=…&password=…]`, `redis+sentinel://[user[:password]@]host[:port],…/NAME[?db=n&sentinelPassword=…]`,
    /// the same with `rediss+sentinel://` for TLS to the sentinels and to Redis, or `redis+cluster://[user[:password]@]host[:port],…`,
    /// the same with `rediss+cluster://` for TLS.
    ///
    /// User and password are percent-decoded; `redis://:secret@host` gives a password alone, `redis://:@host` none. TCP forms take `?db=`
    /// and, with TLS, `?ca=` (a PEM file), `?name=`, `?cert=` and `?key=` (PEM files) as well.
    package mutating func lead(to url: String) throws(RedisURLError) {
        guard let scheme = url.range(of: "://") else {
            throw RedisURLError(Self.schemes)
        }
        let name = url[..<scheme.lowerBound].lowercased()
        let rest = url[scheme.upperBound...]
        let (location, query) = rest.split(atFirst: "?")
        (tls, certificateAuthorityFile, username, password, database) = (name.hasPrefix("rediss"), nil, nil, nil, 0)
        (serverName, certificateFile, keyFile) = (nil, nil, nil)
        switch name {
        case "redis", "rediss":
            let (authority, path) = location.split(atFirst: "/")
            let (credentials, place) = authority.split(atLast: "@")
            topology = .single(try Self.tcpEndpoint(place, port: 6379))
            if let credentials { try read(credentials: credentials) }
            if let path, !path.isEmpty { database = try Self.database(path) }
        case "redis+sentinel", "rediss+sentinel":
            let (authority, path) = location.split(atFirst: "/")
            let (credentials, places) = authority.split(atLast: "@")
            topology = .sentinel(try Self.sentinels(at: places, naming: path ?? ""))
            if let credentials { try read(credentials: credentials) }
        case "redis+cluster", "rediss+cluster":
            let (authority, path) = location.split(atFirst: "/")
            let (credentials, places) = authority.split(atLast: "@")
            topology = .cluster(seeds: try Self.endpoints(places, port: 6379, each: "a server"))
            if let credentials { try read(credentials: credentials) }
            if let path, !path.isEmpty, try Self.database(path) != 0 { throw RedisURLError(Self.onlyDatabase) }
        case "unix":
            guard location.hasPrefix("/") else {
                throw RedisURLError("unix:// must be followed by an absolute path")
            }
            let path = try Self.decoded(location, as: "path")
            guard path.utf8.count <= 103 else { throw RedisURLError("the socket's path is longer than 103 bytes") }
            topology = .single(.unix(path: path))
        default:
            throw RedisURLError(Self.schemes)
        }
        for item in (query ?? "").split(separator: "&") {
            try read(query: item)
        }
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw RedisURLError("cert and key are needed both, or neither")
        }
        if username?.isEmpty == true { username = nil }
        // Nothing to log in with; beside a user it is one who needs no password.
        if username == nil, password?.isEmpty == true { password = nil }
    }

    private mutating func read(credentials: Substring) throws(RedisURLError) {
        let (user, secret) = credentials.split(atFirst: ":")
        if !user.isEmpty { username = try Self.decoded(user, as: "user") }
        if let secret { password = try Self.decoded(secret, as: "password") }
        if username != nil, password == nil {
            throw RedisURLError("it names a user and no password (for a password alone write redis://:password@host)")
        }
    }

    private mutating func read(query item: Substring) throws(RedisURLError) {
        let (name, value) = item.split(atFirst: "=")
        switch name {
        case "db":
            database = try Self.database(value ?? "")
            if case .cluster = topology, database != 0 { throw RedisURLError(Self.onlyDatabase) }
        case "user": username = try Self.decoded(value ?? "", as: "user")
        case "password": password = try Self.decoded(value ?? "", as: "password")
        case "ca" where tls: certificateAuthorityFile = try Self.filled(value, as: "ca")
        case "name" where tls:
            let name = try Self.filled(value, as: "name")
            guard ServerName(name).isHostName else { throw RedisURLError("its name is no host name") }
            serverName = name
        case "cert" where tls: certificateFile = try Self.filled(value, as: "cert")
        case "key" where tls: keyFile = try Self.filled(value, as: "key")
        case "sentinelPassword":
            guard case .sentinel(var sentinels) = topology else { throw RedisURLError(Self.queries) }
            let secret = try Self.decoded(value ?? "", as: "sentinelPassword")
            sentinels.password = secret.isEmpty ? nil : secret
            topology = .sentinel(sentinels)
        default: throw RedisURLError(Self.queries)
        }
    }

    private static let schemes =
        """
        it must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, \
        rediss+cluster:// or unix://
        """
    private static let onlyDatabase = "a Cluster has database 0 only; deployments are told apart by redis.prefix"
    private static let queries = """
        it may have db, user and password after the question mark (rediss:// also ca, name, cert and key, redis+sentinel:// also \
        sentinelPassword)
        """

    private static func sentinels(at places: Substring, naming path: Substring) throws(RedisURLError) -> Sentinels {
        let name = try decoded(path, as: "name")
        guard !name.isEmpty, !name.contains(where: { $0 == "/" || $0.isWhitespace }) else {
            throw RedisURLError(
                "it must end in the name that the sentinels give the primary, as in redis+sentinel://host:26379/NAME")
        }
        return Sentinels(
            places: try endpoints(places, port: Sentinels.defaultPort, each: "a sentinel"), name: name)
    }

    private static func endpoints(
        _ places: Substring, port: Int, each kind: String
    ) throws(RedisURLError) -> [Endpoint] {
        var found: [Endpoint] = []
        for place in places.split(separator: ",", omittingEmptySubsequences: false) {
            let endpoint = try tcpEndpoint(place, port: port)
            let isKnown = found.contains { $0.description.lowercased() == endpoint.description.lowercased() }
            guard !isKnown else { throw RedisURLError("it names \(kind) twice") }
            found.append(endpoint)
        }
        return found
    }

    private static func tcpEndpoint(
        _ location: Substring, port standard: Int
    ) throws(RedisURLError) -> Endpoint {
        var host = location
        var port: Substring?
        if location.hasPrefix("[") {
            guard let end = location.firstIndex(of: "]") else { throw RedisURLError("its host lacks a ]") }
            host = location[location.index(after: location.startIndex)..<end]
            let behind = location[location.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { throw RedisURLError("its host and port are unclear") }
            if !behind.isEmpty { port = behind.dropFirst() }
        } else {
            (host, port) = location.split(atFirst: ":")
        }
        guard !host.isEmpty else { throw RedisURLError("it names no host") }
        guard let port else { return .tcp(host: String(host), port: standard) }
        guard let number = UInt16(port), number > 0 else {
            throw RedisURLError("its port is not a number from 1 to 65535")
        }
        return .tcp(host: String(host), port: Int(number))
    }

    private static func database(_ text: Substring) throws(RedisURLError) -> Int {
        guard let number = UInt16(text) else { throw RedisURLError("its database is not a number") }
        return Int(number)
    }

    private static func filled(_ value: Substring?, as part: String) throws(RedisURLError) -> String {
        let text = try decoded(value ?? "", as: part)
        guard !text.isEmpty else { throw RedisURLError("its \(part) is empty") }
        return text
    }

    private static func decoded(_ text: Substring, as part: String) throws(RedisURLError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let pair = String(rest.prefix(2)), pair.utf8.count == 2,
                    pair.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                    let value = UInt8(pair, radix: 16)
                else { throw RedisURLError("its \(part) has a % without two hexadecimal digits") }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        guard let string = String(validating: bytes, as: UTF8.self), !string.contains("\0") else {
            throw RedisURLError("its \(part) is not UTF-8")
        }
        return string
    }
}

extension StringProtocol where SubSequence == Substring {
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }

    fileprivate func split(atFirst separator: Character) -> (before: Substring, after: Substring?) {
        guard let place = firstIndex(of: separator) else { return (self[...], nil) }
        return (self[..<place], self[index(after: place)...])
    }

    fileprivate func split(atLast separator: Character) -> (before: Substring?, after: Substring) {
        guard let place = lastIndex(of: separator) else { return (nil, self[...]) }
        return (self[..<place], self[index(after: place)...])
    }
}
