import NIOCore

/// The host that a client means to reach, as it was named to the client: what a server's certificate must be for.
package enum ServerName: Hashable, Sendable {
    /// In ASCII, lower case and without the dot that may end it. Any other text is a name that no certificate is for.
    case name([UInt8])
    /// The 4 or 16 bytes of an address that stands in the name's place.
    case address([UInt8])

    /// - Parameter host: an IPv6 address without its brackets.
    package init(_ host: String) {
        // An error says that it is a name.
        self = (try? SocketAddress(ipAddress: host, port: 0)).flatMap(ServerName.init(of:)) ?? ServerName(name: host)
    }

    private init(name: String) {
        var bytes = name.utf8.map(\.lowercaseASCII)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        self = .name(bytes)
    }

    private init?(of address: SocketAddress) {
        switch address {
        case .v4(let v4): self = withUnsafeBytes(of: v4.address.sin_addr) { .address(Array($0)) }
        case .v6(let v6): self = withUnsafeBytes(of: v6.address.sin6_addr) { .address(Array($0)) }
        case .unixDomainSocket: return nil
        }
    }

    /// Whether a certificate can be for it by name.
    package var isHostName: Bool {
        switch self {
        case .name(let name): ServerName.isHostName(name)
        case .address: false
        }
    }

    /// Whether it consists of labels, in lower case, that a host's name can have.
    static func isHostName(_ name: some Collection<UInt8>) -> Bool {
        name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.allSatisfy(isHostByte)
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}

extension UInt8 {
    var lowercaseASCII: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
