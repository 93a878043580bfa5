import GatewayCore

/// One of the 64 partitions that every room and every user belongs to: the unit of order and of atomic change.
package struct Partition: Hashable, Sendable {
    /// Fixed for a deployment: Redis remembers it from the first start on.
    package static let count = 64

    package static let all = (0..<count).map(Partition.init(number:))

    package let number: Int

    package init(number: Int) {
        self.number = number
    }

    /// The partition of a user or a key: CRC-16 of its bytes.
    package init(of name: String) {
        var name = name
        self = name.withUTF8 { Partition(of: $0[...]) }
    }

    /// The partition of a room; an inbox lies in its user's, beside all else about the user.
    package init(of room: RoomName) {
        var name = room.string
        self = name.withUTF8 { Partition(of: $0.dropFirst(room.isInbox ? 1 : 0)) }
    }

    private init(of bytes: UnsafeBufferPointer<UInt8>.SubSequence) {
        number = Int(CRC16.checksum(of: bytes)) % Partition.count
    }

    /// The hash tag that puts all keys of the partition into one slot of a Redis Cluster.
    package var tag: String { "{p\(number)}" }
}

/// CRC-16/XMODEM, the checksum by which Redis Cluster assigns slots (Redis Cluster Specification, appendix A).
package enum CRC16 {
    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { sum, _ in
            sum & 0x8000 == 0 ? sum << 1 : (sum << 1) ^ 0x1021
        }
    }

    package static func checksum(of bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { sum, byte in
            (sum << 8) ^ table[Int((sum >> 8) ^ UInt16(byte))]
        }
    }
}

extension RoomName {
    /// The name that says where the room lies: the user's for an inbox, else the room's own.
    var owner: String { isInbox ? String(Substring(string.utf8.dropFirst())) : string }
}
