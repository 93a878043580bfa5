/// Under which run of Redis entries of a ledger were written, so that an id never names two events: `name>id` with
/// commas between, newest first; an entry has the first name whose id lies before its own.
package struct LedgerBirths: Sendable {
    private var births: [(name: Substring, after: LedgerEntryID)] = []

    init(_ text: String) {
        for part in text.split(separator: ",") {
            let fields = part.split(separator: ">")
            guard fields.count == 2, let after = LedgerEntryID(fields[1]) else { continue }
            births.append((fields[0], after))
        }
    }

    /// Of entries older than what is still known, the oldest name.
    package func name(of entry: LedgerEntryID) -> Substring {
        births.first { $0.after < entry }?.name ?? births.last?.name ?? "0"
    }
}
