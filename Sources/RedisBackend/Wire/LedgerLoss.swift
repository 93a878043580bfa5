/// Entries that were lost to a receiver, as `lost:<receiver>` holds them: `count total entry timestamp`.
package struct LedgerLoss: Hashable, Sendable {
    package let count: Int
    /// Together with all losses before it, as text: it names the loss.
    package let total: String
    /// At which entry they were missed.
    package let entry: LedgerEntryID
    /// Milliseconds since 1970 by Redis's clock.
    package let timestamp: Int64

    /// Nil where the text is not what the scripts write.
    package init?(_ text: String) {
        let fields = text.split(separator: " ")
        guard fields.count == 4, let count = Int(fields[0]), let entry = LedgerEntryID(fields[2]),
            let timestamp = Int64(fields[3])
        else { return nil }
        self.count = count
        total = String(fields[1])
        self.entry = entry
        self.timestamp = timestamp
    }
}
