import GatewayCore

/// Finds the client behind proxies.
package enum ForwardedFor {
    /// The last address of `X-Forwarded-For` that no trusted proxy has, read from the end, where `peer` is a trusted one.
    ///
    /// What stands further left was written by whoever the client is, and proves nothing. An entry that is no address ends
    /// the search: the proxy that wrote it is then the last one known.
    package static func client(peer: IPAddress, headers: [String], trusted: [AddressRange]) -> IPAddress {
        var client = peer
        let entries = headers.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        // Empty elements are no elements (RFC 9110, section 5.6.1).
        for entry in entries.reversed().map(trimmed) where !entry.isEmpty {
            guard trusted.contains(where: { $0.contains(client) }), let address = IPAddress(entry) else { break }
            client = address
        }
        return client
    }

    /// Without white space, brackets and port: `[2001:db8::1]:443` and `192.0.2.1:80` are seen as well.
    private static func trimmed(_ entry: Substring) -> Substring {
        let text = entry.withoutOuterBlanks
        if text.first == "[", let end = text.firstIndex(of: "]") {
            return text[text.index(after: text.startIndex)..<end]
        }
        if let colon = text.firstIndex(of: ":"), text[text.index(after: colon)...].firstIndex(of: ":") == nil {
            return text[..<colon]
        }
        return text
    }
}
