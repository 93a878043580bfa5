/// The assignment of partitions to coordinators (rendezvous hashing): the node whose name, hashed with the partition,
/// comes out highest.
///
/// All nodes that see the same index agree, and a node that comes or goes moves only its own share.
package enum Rendezvous {
    /// Nil where there is no node.
    package static func coordinator(of partition: Partition, among nodes: some Sequence<String>) -> String? {
        nodes.max { left, right in
            let (a, b) = (weight(of: left, partition), weight(of: right, partition))
            return a == b ? left < right : a < b
        }
    }

    /// FNV-1a over name and partition, mixed so that names which differ in one digit fall far apart; the same in every
    /// process, which Swift's own hashing is not.
    private static func weight(of node: String, _ partition: Partition) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in node.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ UInt64(partition.number + 1)) &* 0x100_0000_01b3
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }
}
