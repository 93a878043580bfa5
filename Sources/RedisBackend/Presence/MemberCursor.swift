import GatewayCore

/// The place where a page of members ended: the cursor of HSCAN, and within what that brings, the last name taken.
///
/// `<scan>` or `<scan>.<name>`.
struct MemberCursor {
    var scan: String
    var after: String?

    /// Whether nothing is left.
    var isEnd: Bool { scan == "0" && after == nil }

    var text: String { after.map { "\(scan).\($0)" } ?? scan }

    init(scan: String, after: String?) {
        self.scan = scan
        self.after = after
    }

    init(read text: String?) throws(DirectoryError) {
        guard let text else {
            self.init(scan: "0", after: nil)
            return
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard UInt64(parts[0]) != nil else { throw .badCursor }
        self.init(scan: String(parts[0]), after: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// Byte by byte.
    static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
