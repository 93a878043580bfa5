import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 or IPv6 address; IPv4 stands as `::ffff:a.b.c.d`, so that one client has one address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// In network order: the first eight bytes in `high`, the first byte highest.
    fileprivate let high: UInt64
    fileprivate let low: UInt64

    private static let mappedPrefix: UInt64 = 0xFFFF_0000_0000

    /// As RFC 4291 and dotted quads write it, without port, brackets or zone.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4)
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(v6)
    }

    /// Nil for a unix socket.
    package init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4): self.init(v4.address.sin_addr)
        case .v6(let v6): self.init(v6.address.sin6_addr)
        case .unixDomainSocket: return nil
        }
    }

    private init(_ address: in_addr) {
        high = 0
        low = IPAddress.mappedPrefix | UInt64(UInt32(bigEndian: address.s_addr))
    }

    private init(_ address: in6_addr) {
        (high, low) = withUnsafeBytes(of: address) {
            (
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    fileprivate var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    package var description: String {
        if isV4 {
            return stride(from: 24, through: 0, by: -8).map { String(low >> UInt64($0) & 0xFF) }.joined(separator: ".")
        }
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) {
            $0.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            guard let start = text.baseAddress,
                inet_ntop(AF_INET6, &address, start, socklen_t(INET6_ADDRSTRLEN)) != nil
            else { return "?" }
            return String(cString: start)
        }
    }
}

/// A range of addresses as CIDR writes it: `10.0.0.0/8`, `fd00::/8`, or one address alone.
package struct AddressRange: Hashable, Sendable {
    private let first: IPAddress
    /// Leading bits, of 128, that an address has in common with `first`.
    private let prefixBits: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }), parts.count <= 2 else { return nil }
        let width = text.utf8.contains(UInt8(ascii: ":")) ? 128 : 32
        var bits = width
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = Int(parts[1]), number <= width
            else { return nil }
            bits = number
        }
        first = address
        prefixBits = 128 - width + bits
    }

    package func contains(_ address: IPAddress) -> Bool {
        let highMask = mask(bits: min(prefixBits, 64))
        let lowMask = mask(bits: max(prefixBits - 64, 0))
        return (first.high ^ address.high) & highMask == 0 && (first.low ^ address.low) & lowMask == 0
    }

    private func mask(bits: Int) -> UInt64 { bits == 0 ? 0 : UInt64.max << UInt64(64 - bits) }
}

/// Finds the client behind proxies.
package enum ForwardedFor {
    /// The last address of `X-Forwarded-For` that no trusted proxy has, read from the end, where `peer` is a trusted one.
    ///
    /// What stands further left was written by whoever the client is, and proves nothing. An entry that is no address ends
    /// the search: the proxy that wrote it is then the last one known.
    package static func client(peer: IPAddress, headers: [String], trusted: [AddressRange]) -> IPAddress {
        var client = peer
        let entries = headers.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        for entry in entries.reversed() {
            guard trusted.contains(where: { $0.contains(client) }),
                let address = IPAddress(trimmed(entry))
            else { break }
            client = address
        }
        return client
    }

    /// Without white space, brackets and port: `[2001:db8::1]:443` and `192.0.2.1:80` are seen as well.
    private static func trimmed(_ entry: Substring) -> Substring {
        var text = entry.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        if text.first == "[", let end = text.firstIndex(of: "]") {
            return text[text.index(after: text.startIndex)..<end]
        }
        if let colon = text.firstIndex(of: ":"), text[text.index(after: colon)...].firstIndex(of: ":") == nil {
            return text[..<colon]
        }
        return text
    }
}
