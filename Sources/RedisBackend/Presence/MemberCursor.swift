import GatewayCore

/// The place where a page of members ended: the cursor of HSCAN, and where one step brought more than a page holds, how far
/// that step went and the last name of it that was told.
///
/// `<scan>` or `<scan>-<end>.<name>`. What gateways gave before that knew no end, `<scan>.<name>`, is where its step begins: the
/// same step may bring others now, so that all of it is told again.
package struct MemberCursor: Hashable, Sendable {
    package var scan: UInt64
    package var told: Told?

    /// Of the members between `scan` and `end`, those up to `after` have been told.
    package struct Told: Hashable, Sendable {
        package var end: UInt64
        package var after: String

        package init(end: UInt64, after: String) {
            (self.end, self.after) = (end, after)
        }

        func has(_ member: Member) -> Bool { !MemberCursor.isBefore(after, member.userId.string) }
    }

    package init(scan: UInt64, told: Told?) {
        (self.scan, self.told) = (scan, told)
    }

    package init(read text: String?) throws(DirectoryError) {
        guard let text else {
            self.init(scan: 0, told: nil)
            return
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let places = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        switch (places.count, places[0], places[places.count - 1]) {
        case (1, let scan?, _): self.init(scan: scan, told: nil)
        case (2, let scan?, let end?) where parts.count == 2:
            self.init(scan: scan, told: Told(end: end, after: String(parts[1])))
        default: throw .badCursor
        }
    }

    package var text: String { told.map { "\(scan)-\($0.end).\($0.after)" } ?? "\(scan)" }

    /// Byte by byte.
    package static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Whether a scan that has come to `place` has gone farther than `end`; 0 is the end of all.
    ///
    /// A scan counts its bits from the highest to the lowest, so that a place divides the same members from the same others
    /// however large the hash has become meanwhile.
    package static func isPast(_ place: UInt64, _ end: UInt64) -> Bool {
        guard place != 0, end != 0 else { return end != 0 }
        return place.reversed > end.reversed
    }
}

extension UInt64 {
    /// The bits the other way round.
    fileprivate var reversed: UInt64 {
        var bits = byteSwapped
        bits = (bits >> 4) & 0x0f0f_0f0f_0f0f_0f0f | (bits & 0x0f0f_0f0f_0f0f_0f0f) << 4
        bits = (bits >> 2) & 0x3333_3333_3333_3333 | (bits & 0x3333_3333_3333_3333) << 2
        return (bits >> 1) & 0x5555_5555_5555_5555 | (bits & 0x5555_5555_5555_5555) << 1
    }
}
