import GatewayCore
import Glibc

/// Asks the system what a name leads to.
package enum HostLookup {
    /// Nobody knows what it leads to.
    struct UnknownName: Error {}

    /// All addresses, in the order in which the system would try them (RFC 6724); blocks.
    package static func addresses(of host: String) throws -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { throw UnknownName() }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var entry = list
        while let info = entry?.pointee {
            if let address = address(of: info), !found.contains(address) { found.append(address) }
            entry = info.ai_next
        }
        guard !found.isEmpty else { throw UnknownName() }
        return found
    }

    private static func address(of info: addrinfo) -> IPAddress? {
        guard let address = info.ai_addr else { return nil }
        let bytes = UnsafeRawPointer(address)
        switch info.ai_family {
        case AF_INET: return IPAddress(bytes.loadUnaligned(as: sockaddr_in.self).sin_addr)
        case AF_INET6: return IPAddress(bytes.loadUnaligned(as: sockaddr_in6.self).sin6_addr)
        default: return nil
        }
    }
}
