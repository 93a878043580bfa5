import GatewayCore
import NIOHTTP1

extension HTTPHeaders {
    /// The same without the white space around values, which is none of theirs and which the parser leaves behind them
    /// (RFC 9110, section 5.5). Nil where one holds a control character: what is left of a line that was folded, too.
    var cleaned: HTTPHeaders? {
        var isClean = true
        for (_, value) in self {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
            if HTTPHeaders.isBlank(value.utf8.first) || HTTPHeaders.isBlank(value.utf8.last) { isClean = false }
        }
        return isClean ? self : HTTPHeaders(map { ($0.name, String($0.value[...].withoutOuterBlanks)) })
    }

    private static func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The first value of a header and how many there are, without a list of them: each handshake asks for several.
    func firstAndCount(_ name: String) -> (first: String?, count: Int) {
        var first: String?
        var count = 0
        for (other, value) in self where other.utf8.count == name.utf8.count && HTTPHeaders.isSame(other, name) {
            if count == 0 { first = value }
            count += 1
        }
        return (first, count)
    }

    /// In whatever case (RFC 9110, section 5.1); `name` is in lower case.
    private static func isSame(_ other: String, _ name: String) -> Bool {
        other.utf8.elementsEqual(name.utf8) { byte, lower in
            byte == lower || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == lower
        }
    }
}
