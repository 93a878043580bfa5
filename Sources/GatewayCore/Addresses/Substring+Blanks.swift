extension Substring {
    /// Without the spaces and tabs around it, which are no part of a header's value (RFC 9110, section 5.5).
    package var withoutOuterBlanks: Substring {
        guard let first = utf8.firstIndex(where: Substring.isNoBlank),
            let last = utf8.lastIndex(where: Substring.isNoBlank)
        else { return "" }
        return Substring(utf8[first...last])
    }

    private static func isNoBlank(_ byte: UInt8) -> Bool { byte != 0x20 && byte != 0x09 }
}
