import Foundation

/// The parts of a receiver's URL that decide where a request goes.
package struct WebhookURL: Hashable, Sendable {
    package let isSecure: Bool
    /// Without the brackets of an IPv6 address.
    package let host: String
    package let port: Int
    /// What stands before the host, percent-decoded: sent as HTTP's basic authentication (RFC 7617).
    package let credentials: Credentials?

    package struct Credentials: Hashable, Sendable {
        package let user: String
        package let password: String
    }

    /// Nil for anything but `http://` and `https://` URLs with a host, in visible ASCII and without a fragment, and for those
    /// in which the HTTP client would read another host.
    package init?(_ url: String) {
        let schemes = [("https://", true, 443), ("http://", false, 80)]
        guard let (scheme, isSecure, standardPort) = schemes.first(where: { url.lowercased().hasPrefix($0.0) }),
            url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), !url.contains("#")
        else { return nil }
        let rest = url.dropFirst(scheme.count)
        let end = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
        let authority = rest[..<end]
        let at = authority.lastIndex(of: "@")
        let place = at.map { authority[authority.index(after: $0)...] } ?? authority
        var host = place
        var port = standardPort
        if place.hasPrefix("[") {
            guard let close = place.firstIndex(of: "]") else { return nil }
            host = place[place.index(after: place.startIndex)..<close]
            let after = place[place.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            if !after.isEmpty {
                guard let number = WebhookURL.port(after.dropFirst()) else { return nil }
                port = number
            }
        } else if let colon = place.firstIndex(of: ":") {
            host = place[..<colon]
            guard let number = WebhookURL.port(place[place.index(after: colon)...]) else { return nil }
            port = number
        }
        guard !host.isEmpty, WebhookURL.host(ofClient: url) == host else { return nil }
        self.isSecure = isSecure
        self.host = String(host)
        self.port = port
        credentials = at.map { WebhookURL.credentials(authority[..<$0]) }
    }

    /// The host as the HTTP client sees it.
    private static func host(ofClient url: String) -> Substring? {
        guard let host = URL(string: url)?.host(percentEncoded: false) else { return nil }
        return host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : Substring(host)
    }

    private static func credentials(_ text: Substring) -> Credentials {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { part in
            part.removingPercentEncoding ?? String(part)
        }
        return Credentials(user: parts[0], password: parts.count > 1 ? parts[1] : "")
    }

    private static func port(_ text: Substring) -> Int? {
        guard let number = Int(text), (1...65_535).contains(number) else { return nil }
        return number
    }
}
