import GatewayCore
import RedisClient

/// One of the 64 partitions that every room and every user belongs to: the unit of order and of atomic change.
package struct Partition: Hashable, Sendable {
    /// Fixed for a deployment: Redis remembers it from the first start on.
    package static let count = 64

    /// What the deployment says of its partitions, for all nodes to agree on; those of an earlier release, whose tags were
    /// others, take it for another number of partitions, and do not start.
    package static let layout = "\(count) evenly tagged"

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
        number = Int(CRC16.checksum(of: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes)))) % Partition.count
    }

    /// The hash tag that puts all keys of the partition into one slot of a Redis Cluster.
    package var tag: String { "{\(Partition.tags[number])}" }

    /// The slot of all its keys and channels.
    package var slot: KeySlot { Partition.slots[number] }

    private static let slots = tags.map { KeySlot(ofTag: $0) }

    /// The partition whose keys lie in a slot; nil for any other slot.
    package static func of(_ slot: KeySlot) -> Partition? { bySlot[slot] }

    private static let bySlot = Dictionary(uniqueKeysWithValues: all.map { ($0.slot, $0) })

    /// What stands between the braces of a tag, two letters for each partition.
    ///
    /// The slot of the i-th is the one nearest to the middle of the 256 from 256 i on, of all that two letters have. So
    /// where slots are given out in even ranges, as `redis-cli --cluster create` does, 8, 16 and 32 shards have equally
    /// many partitions, and any number up to 32 differ by two at most. A change of these is a change of the format, and of
    /// the page on consumers.
    package static let tags = """
        mm ry lb bu aa qt ap ax tb kv dn df wo wg gc xw
        cs sf lc sw pc pk on pz ja zt ul jx fm yy va iu
        si sa ce cm pd op pu oa jf ur zj zb ik ic yg fs
        bk bc rg ms af an qj qb dx dp kh da xi xa he wq
        """.split(whereSeparator: \.isWhitespace).map(String.init)
}

extension RoomName {
    /// The name that says where the room lies: the user's for an inbox, else the room's own.
    var owner: String { isInbox ? String(Substring(string.utf8.dropFirst())) : string }
}
