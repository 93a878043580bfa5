import GatewayCore

/// The target of a request: a path, and in absolute form the host too (RFC 9112, section 3.2).
struct HandshakeTarget {
    let path: Substring
    /// Behind the first `?`; empty where there is none.
    let query: Substring
    /// In absolute form alone, where it counts over the `Host` header.
    let host: HostName?

    private static let schemes = ["http", "https", "ws", "wss"]

    /// Nil for what is neither origin-form nor absolute-form of a scheme that is spoken here.
    init?(_ uri: String) {
        // A fragment is none of a request's (RFC 9112, section 3.2.1).
        guard uri.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else { return nil }
        var rest = Substring(uri)
        if rest.utf8.first == UInt8(ascii: "/") {
            host = nil
        } else {
            guard let colon = rest.utf8.firstIndex(of: UInt8(ascii: ":")), rest[colon...].hasPrefix("://"),
                HandshakeTarget.schemes.contains(rest[..<colon].lowercased())
            else { return nil }
            rest = rest[rest.utf8.index(colon, offsetBy: 3)...]
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard let host = HostName(rest[..<end]) else { return nil }
            self.host = host
            rest = rest[end...]
        }
        let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
        path = mark > rest.startIndex ? rest[..<mark] : "/"
        query = mark < rest.endIndex ? rest[rest.utf8.index(after: mark)...] : ""
    }
}
