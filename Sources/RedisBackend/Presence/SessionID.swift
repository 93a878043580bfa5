import GatewayCore

/// A session's name: the number of its user's partition, so that it lies beside the user, and 128 random bits.
///
/// `<partition>-<22 of A-Z a-z 0-9 - _>`.
package struct SessionID: Hashable, Sendable {
    package let string: String
    package let partition: Partition

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let length = 22

    /// The part that is random: beside a user's name it says all.
    package var secret: String { String(string.drop { $0 != "-" }.dropFirst()) }

    /// A new one.
    package init(of user: UserID) {
        var generator = SystemRandomNumberGenerator()
        partition = Partition(of: user.string)
        var secret: [UInt8] = []
        for _ in 0..<2 {
            var bits: UInt64 = generator.next()
            for _ in 0..<(SessionID.length / 2) {
                secret.append(SessionID.digits[Int(bits & 63)])
                bits >>= 6
            }
        }
        string = "\(partition.number)-\(String(decoding: secret, as: UTF8.self))"
    }

    /// One that a client shows; nil where it cannot be one.
    package init?(_ string: String) {
        let parts = string.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[0]), (0..<Partition.count).contains(number),
            String(number) == parts[0], parts[1].utf8.count == SessionID.length,
            parts[1].utf8.allSatisfy({ SessionID.digits.contains($0) })
        else { return nil }
        self.string = string
        partition = Partition(number: number)
    }

    /// A user's session by its secret.
    package init?(secret: some StringProtocol, of user: UserID) {
        self.init("\(Partition(of: user.string).number)-\(secret)")
    }
}
