/// The origin of a page, in the form that browsers send (RFC 6454, section 6.2): lower case, no port that the scheme
/// has by itself, nothing behind the host.
package struct Origin: Hashable, Sendable, CustomStringConvertible {
    package let scheme: String
    /// In lower case, without brackets.
    package let host: String
    /// Nil where it is the scheme's own.
    package let port: Int?
    private let isIPv6: Bool
    package let isLoopback: Bool

    private static let ownPorts = ["http": 80, "https": 443]

    /// Nil for what is no origin: without a scheme or a host, with a path, or with characters that are not ASCII.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: ":")), text[mark...].hasPrefix("://") else { return nil }
        let scheme = text[..<mark].lowercased()
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let isScheme = scheme.utf8.allSatisfy { byte in
            letters.contains(byte) || (0x30...0x39).contains(byte) || "+-.".utf8.contains(byte)
        }
        guard let first = scheme.utf8.first, letters.contains(first), isScheme,
            let host = HostName(text[text.index(mark, offsetBy: 3)...])
        else { return nil }
        self.scheme = scheme
        self.host = host.name
        port = host.port == Origin.ownPorts[scheme] ? nil : host.port
        isIPv6 = host.name.utf8.contains(UInt8(ascii: ":"))
        isLoopback = host.isLoopback
    }

    package var description: String {
        "\(scheme)://\(isIPv6 ? "[\(host)]" : host)\(port.map { ":\($0)" } ?? "")"
    }
}
