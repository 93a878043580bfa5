import Foundation
import GatewayCore
import RedisClient
import Webhooks

/// The checks of single values; each answers what is wrong, worded to follow the value, or nil.
enum SettingCheck {
    static func nodeId(_ text: String) -> String? {
        text.isEmpty ? nil : word(text, upTo: 64)
    }

    static func prefix(_ text: String) -> String? {
        word(text, upTo: 32)
    }

    static func host(_ text: String) -> String? {
        let isHost = text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ":") }
        return (1...253).contains(text.utf8.count) && isHost ? nil : "is not an address or a host name"
    }

    /// The origin as browsers write it.
    static func origin(_ text: String) throws(ValueRefusal) -> String {
        if text == "*" { return text }
        guard !text.contains("*") else {
            throw ValueRefusal("holds a * that stands for nothing: name each host in full, or write * alone for all")
        }
        guard let origin = Origin(try asciiOrigin(text)) else {
            throw ValueRefusal("is not an origin such as https://app.example, or *")
        }
        guard !["ws", "wss"].contains(origin.scheme) else {
            throw ValueRefusal("is where a socket leads, not where a page is from: write http:// or https://")
        }
        return origin.description
    }

    /// With a name of other letters in the form that travels, `xn--…` (UTS #46, as browsers do it).
    private static func asciiOrigin(_ text: String) throws(ValueRefusal) -> String {
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return text }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.encodedHost,
            host.utf8.allSatisfy(isWordByte), parts.user == nil, parts.path.isEmpty, parts.query == nil,
            parts.fragment == nil
        else { throw ValueRefusal("has a host that is not ASCII: write it in the form that begins with xn--") }
        return "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")"
    }

    static func apiKey(_ text: String) -> String? {
        let isVisible = text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        return isVisible && text.utf8.count <= 512 ? nil : "must be visible ASCII without spaces, 512 bytes at most"
    }

    static func secret(_ text: String) -> String? {
        if let problem = PublicKeyText.problem(with: text) { return problem }
        // Whoever else has the secret has it without them, and nothing would match.
        let isClean = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{feff}" }
        guard isClean else { return "holds a line break or another character that does not print" }
        let least = KeyStrength.leastKeyBytes
        return text.utf8.count < least ? "is shorter than \(least) bytes; \(KeyStrength.remedy)" : nil
    }

    /// The answer holds no part of a URL, which may contain a password.
    static func jwks(_ text: String) -> String? {
        guard text.contains("://") else { return nil }
        return WebhookURL(text)?.isSecure ?? false ? nil : "is neither a file nor an https:// URL"
    }

    /// A name that stands in JSON as it is.
    static func claim(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && ![UInt8(ascii: "\""), 0x5c].contains($0) }
        return (1...200).contains(text.utf8.count) && isPlain ? nil : "is no name of a claim"
    }

    static func addressBlock(_ text: String) throws(ValueRefusal) -> AddressRange {
        guard let range = AddressRange(text) else {
            throw ValueRefusal("is not an address or a CIDR block such as 10.0.0.0/8")
        }
        return range
    }

    /// The answer holds no part of the URL, which may contain a password.
    static func redisURL(_ text: String) -> String? {
        do {
            _ = try RedisConfiguration(url: text)
            return nil
        } catch {
            return "cannot be used: \(error)"
        }
    }

    private static func word(_ text: String, upTo limit: Int) -> String? {
        guard (1...limit).contains(text.utf8.count), text.utf8.allSatisfy(isWordByte) else {
            return "is not 1 to \(limit) characters of A-Z a-z 0-9 . _ -"
        }
        return nil
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}
