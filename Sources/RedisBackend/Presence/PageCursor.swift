/// The place where a page over the sorted sets of all partitions ended: the partition, and the last score and member in
/// it.
///
/// `<partition>.<score>.<member>`; without the last two, the partition's beginning.
package struct PageCursor: Hashable, Sendable {
    package var partition: Partition
    package var after: Place?

    package struct Place: Hashable, Sendable {
        package var score: Int64
        package var member: String

        package init(score: Int64, member: String) {
            self.score = score
            self.member = member
        }
    }

    package init(partition: Partition, after: Place?) {
        self.partition = partition
        self.after = after
    }

    /// Nil where the text is not what `text` spells.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard let number = Int(parts[0]), (0..<Partition.count).contains(number) else { return nil }
        partition = Partition(number: number)
        guard parts.count > 1 else { return }
        guard parts.count == 3, let score = Int64(parts[1]) else { return nil }
        after = Place(score: score, member: String(parts[2]))
    }

    package var text: String {
        guard let after else { return "\(partition.number)" }
        return "\(partition.number).\(after.score).\(after.member)"
    }
}
