/// The identity of a server's data: one process (`run_id`) under one history (`master_replid`).
///
/// A primary that was demoted and promoted again is the same process with other data: only its history tells. A primary
/// that gets its first replica begins a history too; it then counts as another server that has lost nothing.
package struct ServerID: Sendable, Hashable {
    package let runID: String
    package let replicationID: String
    /// As scripts are told it and partitions keep it: half of each of the two, 80 bits.
    package let token: String

    package init(runID: String, replicationID: String) {
        self.runID = runID
        self.replicationID = replicationID
        token = "\(runID.prefix(20)):\(replicationID.prefix(20))"
    }
}
