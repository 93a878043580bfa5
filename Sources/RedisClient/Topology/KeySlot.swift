/// One of the 16,384 slots of a Redis Cluster, to which a key and a sharded channel belong by their hash tag
/// (Redis Cluster Specification, "Key distribution model").
package struct KeySlot: Hashable, Sendable, Comparable {
    package static let count = 16_384

    /// The slot of what is about no key, on a server that has all slots.
    package static let first = KeySlot(number: 0)

    package let number: UInt16

    package init(number: UInt16) {
        self.number = number
    }

    /// - Parameter tag: what stands between the braces, or a whole key that has none.
    package init(ofTag tag: String) {
        var tag = tag
        self = tag.withUTF8 { KeySlot(hashing: UnsafeRawBufferPointer($0)) }
    }

    /// The slot of a key or a channel by its bytes: by what stands between its first brace and the next closing one, unless
    /// that is nothing.
    package init(of name: UnsafeRawBufferPointer) {
        guard let opening = name.firstIndex(of: UInt8(ascii: "{")),
            let closing = name[(opening + 1)...].firstIndex(of: UInt8(ascii: "}")), closing > opening + 1
        else {
            self.init(hashing: name)
            return
        }
        self.init(hashing: UnsafeRawBufferPointer(rebasing: name[(opening + 1)..<closing]))
    }

    package init(of name: String) {
        var name = name
        self = name.withUTF8 { KeySlot(of: UnsafeRawBufferPointer($0)) }
    }

    private init(hashing bytes: UnsafeRawBufferPointer) {
        number = CRC16.checksum(of: bytes) % UInt16(KeySlot.count)
    }

    package static func < (one: KeySlot, other: KeySlot) -> Bool { one.number < other.number }
}

/// CRC-16/XMODEM, the checksum by which Redis Cluster assigns slots (Redis Cluster Specification, appendix A).
package enum CRC16 {
    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { sum, _ in
            sum & 0x8000 == 0 ? sum << 1 : (sum << 1) ^ 0x1021
        }
    }

    /// Not generic: other modules would call it unspecialized, and each message asks for its partition.
    package static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes { sum = (sum << 8) ^ table[Int((sum >> 8) ^ UInt16(byte))] }
        return sum
    }

    package static func checksum(of text: String) -> UInt16 {
        var text = text
        return text.withUTF8 { checksum(of: UnsafeRawBufferPointer($0)) }
    }
}
