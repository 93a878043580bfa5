/// Some of the partitions, in their order; one word of memory.
package struct PartitionSet: Hashable, Sendable, Sequence {
    /// The lowest bit is partition 0.
    package private(set) var bits: UInt64

    package static let none = PartitionSet(bits: 0)
    package static let all = PartitionSet(bits: .max >> UInt64(64 - Partition.count))

    package init(bits: UInt64) {
        self.bits = bits
    }

    package var isEmpty: Bool { bits == 0 }

    package func contains(_ partition: Partition) -> Bool { bits & PartitionSet.bit(of: partition) != 0 }

    package mutating func insert(_ partition: Partition) { bits |= PartitionSet.bit(of: partition) }

    package mutating func remove(_ partition: Partition) { bits &= ~PartitionSet.bit(of: partition) }

    package var count: Int { bits.nonzeroBitCount }

    package init(_ partitions: some Sequence<Partition>) {
        self = .none
        for partition in partitions { insert(partition) }
    }

    /// Whether it is more than half of all.
    package var isMost: Bool { count * 2 > Partition.count }

    package func intersection(_ others: PartitionSet) -> PartitionSet { PartitionSet(bits: bits & others.bits) }

    package func subtracting(_ others: PartitionSet) -> PartitionSet { PartitionSet(bits: bits & ~others.bits) }

    package mutating func subtract(_ others: PartitionSet) { bits &= ~others.bits }

    package mutating func formUnion(_ others: PartitionSet) { bits |= others.bits }

    /// Takes the first out; nil where there is none.
    package mutating func popFirst() -> Partition? {
        guard bits != 0 else { return nil }
        defer { bits &= bits - 1 }
        return Partition(number: bits.trailingZeroBitCount)
    }

    package func makeIterator() -> AnyIterator<Partition> {
        var rest = self
        return AnyIterator { rest.popFirst() }
    }

    private static func bit(of partition: Partition) -> UInt64 { 1 << UInt64(partition.number) }
}
