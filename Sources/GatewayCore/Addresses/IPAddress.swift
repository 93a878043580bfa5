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
    let high: UInt64
    let low: UInt64

    private static let mappedPrefix: UInt64 = 0xFFFF_0000_0000

    /// `::`, which no peer has.
    package static let unspecified = IPAddress(high: 0, low: 0)

    /// As RFC 4291 and dotted quads write it, without port, brackets or zone.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        // To the system's call a text ends there.
        guard !text.utf8.contains(0) else { return nil }
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4)
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(v6)
    }

    /// As the system's calls have it.
    package init(_ address: in_addr) {
        high = 0
        low = IPAddress.mappedPrefix | UInt64(UInt32(bigEndian: address.s_addr))
    }

    /// The same for IPv6.
    package init(_ address: in6_addr) {
        (high, low) = withUnsafeBytes(of: address) {
            (
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    /// The bytes as they stand, for ranges.
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether only this machine can be there: 127.0.0.0/8 or `::1`.
    package var isLoopback: Bool { isV4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// What limits count by: the address itself, of IPv6 its /64, which is what one customer has at the least.
    package var counted: IPAddress { isV4 ? self : IPAddress(high: high, low: 0) }

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
