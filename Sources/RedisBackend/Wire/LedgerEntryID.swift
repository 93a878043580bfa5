/// An entry's id in its stream: `milliseconds-number`.
package struct LedgerEntryID: Hashable, Comparable, Sendable {
    package let milliseconds: Int64
    package let number: UInt64

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = Int64(parts[0]), let number = UInt64(parts[1]) else { return nil }
        self.milliseconds = milliseconds
        self.number = number
    }

    package static func < (left: LedgerEntryID, right: LedgerEntryID) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }
}
