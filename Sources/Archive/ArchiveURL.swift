/// Where an archive's database is: `postgres://user:password@host:5432/name`, `mysql://user:password@host:3306/name` or
/// `sqlite:///absolute/path`.
package struct ArchiveURL: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case sqlite, postgreSQL, mariaDB
    }

    /// The protection of what travels.
    package enum Security: String, Hashable, Sendable, CaseIterable {
        /// None.
        case off
        /// TLS with whoever answers.
        case encrypt
        /// TLS with a certificate for the host's name, by an authority that is trusted.
        case verify
    }

    /// A URL that cannot be used; holds nothing of user or password.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let kind: Kind
    package private(set) var host = ""
    package private(set) var port = 0
    package private(set) var user: String?
    package var password: String?
    package private(set) var database = ""
    /// A unix socket in place of host and port: a folder for PostgreSQL, a file for MariaDB.
    package private(set) var socket: String?
    /// Of SQLite.
    package private(set) var path = ""
    package private(set) var security = Security.off
    /// For how many seconds a statement may run.
    package var patience = 60
    /// Whose certificates are trusted, in PEM.
    package private(set) var authorityFile = "/etc/ssl/certs/ca-certificates.crt"

    private static let schemes = "it must begin with postgres://, mysql:// or sqlite:///"

    package init(_ text: String) throws(Failure) {
        guard let scheme = text.range(of: "://") else { throw Failure(description: ArchiveURL.schemes) }
        let rest = text[scheme.upperBound...]
        switch text[..<scheme.lowerBound] {
        case "sqlite":
            kind = .sqlite
            path = try ArchiveURL.decoded(rest, as: "path")
            guard path.hasPrefix("/"), !path.hasSuffix("/") else {
                throw Failure(description: "sqlite:// must be followed by the absolute path of a file")
            }
        case "postgres", "postgresql":
            kind = .postgreSQL
            try read(rest, port: 5432)
        case "mysql", "mariadb":
            kind = .mariaDB
            try read(rest, port: 3306)
        default: throw Failure(description: ArchiveURL.schemes)
        }
    }

    private mutating func read(_ rest: Substring, port standard: Int) throws(Failure) {
        let (location, query) = ArchiveURL.split(rest, at: rest.firstIndex(of: "?"))
        let (authority, name) = ArchiveURL.split(location, at: location.firstIndex(of: "/"))
        database = try ArchiveURL.decoded(name ?? "", as: "database")
        guard !database.isEmpty else {
            throw Failure(description: "it must end in the database's name, as in postgres://host/name")
        }
        var place = authority
        if let at = authority.lastIndex(of: "@") {
            let (user, password) = ArchiveURL.split(authority[..<at], at: authority[..<at].firstIndex(of: ":"))
            self.user = user.isEmpty ? nil : try ArchiveURL.decoded(user, as: "user")
            if let password { self.password = try ArchiveURL.decoded(password, as: "password") }
            place = authority[authority.index(after: at)...]
        }
        try read(place: place, port: standard)
        security = isOfThisMachine ? .off : .verify
        for item in (query ?? "").split(separator: "&") { try read(query: item) }
        guard socket != nil || !host.isEmpty else { throw Failure(description: "it names no host") }
        if socket != nil { security = .off }
    }

    private mutating func read(place: Substring, port standard: Int) throws(Failure) {
        var (name, port): (Substring, Substring?)
        if place.hasPrefix("["), let end = place.firstIndex(of: "]") {
            name = place[place.index(after: place.startIndex)..<end]
            let behind = place[place.index(after: end)...]
            port = behind.hasPrefix(":") ? behind.dropFirst() : nil
        } else {
            (name, port) = ArchiveURL.split(place, at: place.lastIndex(of: ":"))
        }
        host = String(name)
        self.port = standard
        guard let port else { return }
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw Failure(description: "its port is not a number from 1 to 65535")
        }
        self.port = number
    }

    private mutating func read(query item: Substring) throws(Failure) {
        let (name, value) = ArchiveURL.split(item, at: item.firstIndex(of: "="))
        let text = try ArchiveURL.decoded(value ?? "", as: String(name))
        switch name {
        case "tls":
            guard let security = Security(rawValue: text) else {
                throw Failure(description: "its tls is none of off, encrypt, verify")
            }
            self.security = security
        case "ca": authorityFile = text
        case "socket": socket = text
        default: throw Failure(description: "it may have tls, ca and socket after the question mark")
        }
    }

    private var isOfThisMachine: Bool { ["localhost", "127.0.0.1", "::1"].contains(host) }

    private static func split(_ text: Substring, at place: Substring.Index?) -> (Substring, Substring?) {
        guard let place else { return (text, nil) }
        return (text[..<place], text[text.index(after: place)...])
    }

    private static func decoded(_ text: Substring, as part: String) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let pair = String(rest.prefix(2)), pair.allSatisfy(\.isHexDigit), let value = UInt8(pair, radix: 16)
            else { throw Failure(description: "its \(part) has a % without two hexadecimal digits") }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let string = String(validating: bytes, as: UTF8.self), !string.contains("\0") else {
            throw Failure(description: "its \(part) is not UTF-8")
        }
        return string
    }
}

extension ArchiveURL: CustomStringConvertible {
    /// Where it leads, without user and password.
    package var description: String {
        switch kind {
        case .sqlite: "sqlite://\(path)"
        case .postgreSQL, .mariaDB:
            "\(kind == .postgreSQL ? "postgres" : "mysql")://\(socket ?? "\(host):\(port)")/\(database)"
        }
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
}
