#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The address of a gateway, as its URL says: `ws://127.0.0.1:8080/ws` or `wss://chat.example.org/ws`.
package struct Endpoint: Hashable, Sendable {
    package var isSecure: Bool
    package var host: String
    package var port: Int
    /// With the query, if there is one.
    package var path: String

    /// Nil where it is no `ws` or `wss` URL with a host.
    package init?(_ url: String) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            scheme == "ws" || scheme == "wss", let name = parts.host, !name.isEmpty
        else { return nil }
        isSecure = scheme == "wss"
        host = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
        port = parts.port ?? (isSecure ? 443 : 80)
        path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        if let query = parts.percentEncodedQuery { path += "?" + query }
    }

    /// Adds a field to the query; the value is percent-encoded.
    package mutating func add(_ name: String, _ value: String) {
        path += (path.contains("?") ? "&" : "?") + name + "=" + Endpoint.encoded(value)
    }

    private static func encoded(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
