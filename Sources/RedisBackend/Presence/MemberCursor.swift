import GatewayCore

/// The place where a page of members ended: the cursor of HSCAN, at which server, and where one step brought more than a page
/// holds, how far that step went and the last name of it that was told.
///
/// `<server>-<scan>` or `<server>-<scan>-<end>.<name>`. What names no server, as gateways gave it before, is the beginning: each
/// server's hashes have an order of their own, so that all is told again.
package struct MemberCursor: Hashable, Sendable {
    package static let start = MemberCursor(server: nil, scan: 0, told: nil)

    /// The server whose order the places are of; nil for none yet.
    package var server: ServerMark?
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

    package init(server: ServerMark?, scan: UInt64, told: Told?) {
        (self.server, self.scan, self.told) = (server, scan, told)
    }

    package init(read text: String?) throws(DirectoryError) {
        guard let text else {
            self = .start
            return
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        guard !numbers.contains(nil) else { throw .badCursor }
        let places = numbers.compactMap(\.self)
        let server = places.first.flatMap { UInt32(exactly: $0) }.map { ServerMark(number: $0) }
        switch (places.count, server, parts.count) {
        case (1, _, _), (2, _, 2): self = .start
        case (2, let server?, 1): self.init(server: server, scan: places[1], told: nil)
        case (3, let server?, 2):
            self.init(server: server, scan: places[1], told: Told(end: places[2], after: String(parts[1])))
        default: throw .badCursor
        }
    }

    package var text: String {
        guard let server else { return "0" }
        let place = "\(server.number)-\(scan)"
        return told.map { "\(place)-\($0.end).\($0.after)" } ?? place
    }

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
