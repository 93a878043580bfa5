import NIOHTTP1

extension HTTPHeaders {
    /// The same without the white space around values, which is none of theirs and which the parser leaves behind them
    /// (RFC 9110, section 5.5). Nil where one holds a control character: what is left of a line that was folded, too.
    var cleaned: HTTPHeaders? {
        var isClean = true
        for (_, value) in self {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
            if let first = value.utf8.first, let last = value.utf8.last,
                HTTPHeaders.isSpace(first) || HTTPHeaders.isSpace(last)
            {
                isClean = false
            }
        }
        return isClean ? self : HTTPHeaders(map { ($0.name, HTTPHeaders.trim($0.value)) })
    }

    private static func trim(_ value: String) -> String {
        let bytes = value.utf8.drop(while: isSpace)
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(value[bytes.startIndex...last])
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
