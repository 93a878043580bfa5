import Synchronization

/// The addresses whose handshakes are refused for a while: replaced as a whole by whoever keeps the list, asked by the
/// client port once or twice for a connection.
///
/// Any thread. A look costs one step for each length of prefix in the list, however many ranges there are.
package final class BannedAddresses: Sendable {
    /// A range and when it is let in again, in milliseconds since 1970.
    package struct Ban: Hashable, Sendable {
        package var range: AddressRange
        package var until: Int64

        package init(range: AddressRange, until: Int64) {
            self.range = range
            self.until = until
        }
    }

    /// When each range's ban ends, by the length of its prefix and its first address.
    private let ends = Mutex<[Int: [IPAddress: Int64]]>([:])

    package init() {}

    /// Of a range that is named twice, the later end holds.
    package func replace(with bans: [Ban]) {
        var ends: [Int: [IPAddress: Int64]] = [:]
        for ban in bans {
            let end = ends[ban.range.prefixBits]?[ban.range.first] ?? ban.until
            ends[ban.range.prefixBits, default: [:]][ban.range.first] = max(end, ban.until)
        }
        self.ends.withLock { [ends] in $0 = ends }
    }

    /// - Parameter wallMilliseconds: the time, in milliseconds since 1970.
    package func contains(_ address: IPAddress, wallMilliseconds: Int64) -> Bool {
        ends.withLock { ends in
            ends.contains { bits, ranges in ranges[address.prefix(bits)].map { wallMilliseconds < $0 } ?? false }
        }
    }
}
