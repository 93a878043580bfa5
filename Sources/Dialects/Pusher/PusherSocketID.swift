/// A connection's id as Pusher's clients and backends need it, which take two numbers with a dot between them alone.
///
/// Each says the other: who leaves a connection out by either means the same.
package struct PusherSocketID: Hashable, Sendable, CustomStringConvertible {
    /// As the rest of Martlet names it.
    package let connectionID: String
    /// `123.456`.
    package let description: String

    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_".utf8)
    /// Of an id, in two halves of 42 bits.
    private static let length = 14
    private static let half = 7

    /// Nil for what is no connection's id.
    package init?(connectionID: String) {
        guard connectionID.utf8.count == PusherSocketID.length else { return nil }
        var halves: [UInt64] = [0, 0]
        for (index, byte) in connectionID.utf8.enumerated() {
            guard let digit = PusherSocketID.digits.firstIndex(of: byte) else { return nil }
            halves[index / PusherSocketID.half] |= UInt64(digit) << UInt64(6 * (index % PusherSocketID.half))
        }
        self.connectionID = connectionID
        description = "\(halves[0]).\(halves[1])"
    }

    /// As ``description`` says it; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        var name: [UInt8] = []
        for part in parts {
            guard let number = UInt64(part), number < 1 << 42, String(number) == part else { return nil }
            for index in 0..<PusherSocketID.half { name.append(PusherSocketID.digits[Int(number >> (6 * index) & 63)]) }
        }
        connectionID = String(decoding: name, as: UTF8.self)
        description = text
    }

    /// Whether it has the form that Pusher's libraries ask for, whosever it is.
    package static func isWellFormed(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { (1...20).contains($0.count) && $0.allSatisfy { (0x30...0x39).contains($0) } }
    }
}
