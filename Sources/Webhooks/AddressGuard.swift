import GatewayCore
import Glibc

/// Keeps requests away from what lies behind the gateway's own network.
package enum AddressGuard {
    /// An address that is not dialled.
    package struct Refusal: Error, Hashable, CustomStringConvertible {
        package let address: String
        package let reach: Reach

        package var description: String {
            switch reach {
            case .anywhere, .publicAlone:
                """
                \(address) is a private address; where the receiver lies in your own network, as with docker compose, set \
                webhooks.allowPrivate (MARTLET_WEBHOOKS_ALLOW_PRIVATE=true)
                """
            case .privateAlone: "\(address) is a public address, which is asked by https alone"
            }
        }
    }

    /// The addresses that are dialled.
    package enum Reach: Hashable, Sendable {
        case anywhere
        case publicAlone
        /// Of networks of one's own, this machine's included.
        case privateAlone

        /// Those among them; throws `Refusal` where there is none.
        func allowed(_ addresses: [IPAddress]) throws(Refusal) -> [IPAddress] {
            let allowed = addresses.filter { address in
                switch self {
                case .anywhere: true
                case .publicAlone: !isPrivate(address.description)
                case .privateAlone: isPrivate(address.description)
                }
            }
            guard !allowed.isEmpty else {
                throw Refusal(address: addresses.first?.description ?? "the receiver's", reach: self)
            }
            return allowed
        }
    }

    /// The address that a host is by itself, without a name server: as it is usually written, or as C's `inet_aton` reads
    /// it, in octal, hexadecimal or fewer numbers (`0x7f.1`, `017700000001`, `2130706433`). The system's look-up takes those
    /// for addresses too.
    package static func literal(_ host: String) -> IPAddress? {
        if let address = IPAddress(host) { return address }
        var v4 = in_addr()
        // The system's call stops at white space, which no host holds.
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), inet_aton(host, &v4) == 1 else { return nil }
        return IPAddress(v4)
    }

    /// Whether an IPv4 or IPv6 address is not one of the public internet: private, loopback, link-local, shared,
    /// multicast, reserved (RFC 6890), or one of these inside an IPv6 address. What is no address is private.
    package static func isPrivate(_ ip: String) -> Bool {
        let ip = String(ip.prefix { $0 != "%" })
        var v4 = in_addr()
        if inet_pton(AF_INET, ip, &v4) == 1 { return isPrivate(v4: withUnsafeBytes(of: v4) { Array($0) }) }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, ip, &v6) == 1 else { return true }
        let bytes = withUnsafeBytes(of: v6) { Array($0) }
        // ::, ::1 and addresses that carry an IPv4 one: mapped, compatible, NAT64, 6to4.
        if bytes[0..<10].allSatisfy({ $0 == 0 }), bytes[10] == bytes[11], bytes[10] == 0 || bytes[10] == 0xff {
            return isPrivate(v4: Array(bytes[12...]))
        }
        if bytes[0..<12].elementsEqual([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]) {
            return isPrivate(v4: Array(bytes[12...]))
        }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return isPrivate(v4: Array(bytes[2..<6])) }
        // Public are 2000::/3 alone, without documentation's 2001:db8::/32.
        return bytes[0] & 0xe0 != 0x20 || bytes[0..<4].elementsEqual([0x20, 0x01, 0x0d, 0xb8])
    }

    private static func isPrivate(v4 bytes: [UInt8]) -> Bool {
        switch (bytes[0], bytes[1]) {
        case (0, _), (10, _), (127, _), (169, 254), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19): true
        case (192, 0): bytes[2] == 0 || bytes[2] == 2
        case (198, 51): bytes[2] == 100
        case (203, 0): bytes[2] == 113
        case (224..., _): true
        default: false
        }
    }
}
