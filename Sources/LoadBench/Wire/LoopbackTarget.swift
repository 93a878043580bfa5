/// An address of this machine to load: nothing else is ever connected to.
package struct LoopbackTarget: Hashable, Sendable, Codable, CustomStringConvertible {
    /// In host order, within 127.0.0.0/8.
    package let address: UInt32
    package let port: UInt16

    /// Port 0 is for a server yet to be started.
    package static func localhost(port: UInt16) -> LoopbackTarget {
        LoopbackTarget(address: 0x7F00_0001, port: port)
    }

    private init(address: UInt32, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads `127.0.0.1:8080`, `localhost:8080` or `8080`, also behind `ws://` or `http://`.
    ///
    /// - Throws: for anything else, above all for addresses that are not loopback.
    package init(_ text: String) throws(BenchFailure) {
        var rest = Substring(text)
        for scheme in ["ws://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let last = parts.last, let port = UInt16(last), port > 0 else {
            throw BenchFailure("\"\(text)\" is not host:port, such as 127.0.0.1:8080")
        }
        let host = parts.count == 2 ? parts[0] : "127.0.0.1"
        guard let address = LoopbackTarget.address(host == "localhost" ? "127.0.0.1" : host), address >> 24 == 127
        else {
            throw BenchFailure(
                "\(host) is not a loopback address: the load tool only loads 127.0.0.0/8, this machine itself")
        }
        self.init(address: address, port: port)
    }

    package var description: String {
        let bytes = [24, 16, 8, 0].map { String(address >> $0 & 0xFF) }
        return "\(bytes.joined(separator: ".")):\(port)"
    }

    private static func address(_ host: Substring) -> UInt32? {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        return parts.reduce(0) { $0 << 8 | UInt32($1) }
    }
}
