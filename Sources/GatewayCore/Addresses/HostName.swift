/// The host of a request or an origin, as `Host` bears it (RFC 9110, section 7.2): a name or an address, perhaps a port.
package struct HostName: Hashable, Sendable {
    /// In lower case, without port, brackets and last dot.
    package let name: String
    /// Nil where none is written.
    package let port: Int?
    /// Nil for a name.
    package let address: IPAddress?

    /// Nil for what is no `uri-host [ ":" port ]` (RFC 3986, section 3.2.2), or names no host.
    package init?(_ text: some StringProtocol) {
        let host: Substring
        let rest: Substring.UTF8View
        let whole = Substring(text)
        let bytes = whole.utf8
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = whole[bytes.index(after: bytes.startIndex)..<end]
            rest = bytes[bytes.index(after: end)...]
            guard host.utf8.contains(UInt8(ascii: ":")), let address = IPAddress(host) else { return nil }
            self.address = address
        } else {
            let end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
            host = whole[..<end]
            rest = bytes[end...]
            guard host.utf8.allSatisfy(HostName.isNameByte) else { return nil }
            // A name may begin with a digit; an address must.
            address = host.utf8.first.map { (0x30...0x39).contains($0) } ?? false ? IPAddress(host) : nil
        }
        if rest.isEmpty {
            port = nil
        } else {
            // An empty port is allowed, and means the scheme's own.
            let digits = rest.dropFirst()
            guard rest.first == UInt8(ascii: ":"), digits.allSatisfy({ (0x30...0x39).contains($0) }), digits.count <= 5
            else { return nil }
            port = Int(Substring(digits))
            if let port, port > 65_535 { return nil }
        }
        let name = host.utf8.last == UInt8(ascii: ".") ? host.dropLast() : host
        guard !name.isEmpty, !HostName.hasEmptyLabel(name.utf8) else { return nil }
        self.name = address?.description ?? name.lowercased()
    }

    /// A loopback address, `localhost`, or a name under it (RFC 6761, section 6.3): what no other machine can have.
    package var isLoopback: Bool {
        address?.isLoopback ?? (name == "localhost" || name.hasSuffix(".localhost"))
    }

    private static func hasEmptyLabel(_ name: Substring.UTF8View) -> Bool {
        var last = UInt8(ascii: ".")
        for byte in name {
            if byte == UInt8(ascii: "."), last == byte { return true }
            last = byte
        }
        return false
    }

    /// Unreserved, percent-encoded and sub-delims; what a browser would send is far less.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+,;=%".utf8.contains(byte)
        }
    }
}
