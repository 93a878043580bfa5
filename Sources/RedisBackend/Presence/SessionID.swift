import GatewayCore

/// A session's name: the number of its user's partition, so that it lies beside the user, and 128 random bits.
package struct SessionID: Hashable, Sendable {
    package let string: String
    package let partition: Partition

    /// A new one.
    package init(of user: UserID) {
        var generator = SystemRandomNumberGenerator()
        partition = Partition(of: user.string)
        let bits = [generator.next(), generator.next()].map { (half: UInt64) -> String in
            let text = String(half, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        string = "\(partition.number)-\(bits[0])\(bits[1])"
    }

    /// One that a client shows; nil where it cannot be one.
    package init?(_ string: String) {
        let parts = string.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[0]), (0..<Partition.count).contains(number),
            String(number) == parts[0], parts[1].utf8.count == 32,
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.string = string
        partition = Partition(number: number)
    }
}
