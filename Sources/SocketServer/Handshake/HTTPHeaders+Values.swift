import GatewayCore
import NIOHTTP1

extension HTTPHeaders {
    /// The same without the white space around values, which is none of theirs and which the parser leaves behind them
    /// (RFC 9110, section 5.5). Nil where one holds a control character: what is left of a line that was folded, too.
    var cleaned: HTTPHeaders? {
        var isClean = true
        for (_, value) in self {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
            if value[...].withoutOuterBlanks.utf8.count != value.utf8.count { isClean = false }
        }
        return isClean ? self : HTTPHeaders(map { ($0.name, String($0.value[...].withoutOuterBlanks)) })
    }
}
