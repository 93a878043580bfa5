import GatewayCore

/// A session's name: the number of its user's partition, so that it lies beside the user, and 128 random bits.
///
/// `<partition>-<22 of A-Z a-z 0-9 - _>`.
package struct SessionID: Hashable, Sendable {
    package let partition: Partition
    private let first: UInt64
    private let second: UInt64

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// Each half is written in so many digits, of which the last holds what is left of its 64 bits.
    private static let halfLength = 11

    package var string: String { "\(partition.number)-\(secret)" }

    /// The part that is random: beside a user's name it says all.
    package var secret: String {
        String(unsafeUninitializedCapacity: 2 * SessionID.halfLength) { text in
            for (half, bits) in [first, second].enumerated() {
                for index in 0..<SessionID.halfLength {
                    let digit = Int(truncatingIfNeeded: bits >> UInt64(6 * index)) & 63
                    text[half * SessionID.halfLength + index] = SessionID.digits[digit]
                }
            }
            return 2 * SessionID.halfLength
        }
    }

    /// A new one.
    package init(of user: UserID) {
        partition = Partition(of: user.string)
        first = BulkRandom.names.next()
        second = BulkRandom.names.next()
    }

    /// One that a client shows; nil where it cannot be one.
    package init?(_ string: String) {
        let parts = string.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[0]), (0..<Partition.count).contains(number),
            String(number) == parts[0], parts[1].utf8.count == 2 * SessionID.halfLength,
            let first = SessionID.bits(of: parts[1].utf8.prefix(SessionID.halfLength)),
            let second = SessionID.bits(of: parts[1].utf8.suffix(SessionID.halfLength))
        else { return nil }
        partition = Partition(number: number)
        (self.first, self.second) = (first, second)
    }

    /// A user's session by its secret.
    package init?(secret: some StringProtocol, of user: UserID) {
        self.init("\(Partition(of: user.string).number)-\(secret)")
    }

    /// Nil where there is a strange character, or more than 64 bits.
    private static func bits(of text: some Collection<UInt8>) -> UInt64? {
        var bits: UInt64 = 0
        for (index, byte) in text.enumerated() {
            guard let digit = digits.firstIndex(of: byte) else { return nil }
            let part = UInt64(digit) << UInt64(6 * index)
            guard part >> UInt64(6 * index) == UInt64(digit) else { return nil }
            bits |= part
        }
        return bits
    }
}
