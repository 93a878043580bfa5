import RedisBackend
import Synchronization

/// Which partitions a worker has, for its lanes and for whoever prolongs their leases.
final class ArchiveShares: Sendable {
    private struct State {
        /// How many this worker may have: nobody has more than a fair share.
        var most = 0
        var tokens: [Partition: Int64] = [:]
    }

    private let state = Mutex(State())

    var tokens: [Partition: Int64] { state.withLock { $0.tokens } }

    /// Whether one more is the worker's to take.
    var hasRoom: Bool { state.withLock { $0.tokens.count < $0.most } }

    /// Whether others wait for one of these.
    var hasTooMany: Bool { state.withLock { $0.tokens.count > $0.most } }

    func allow(_ most: Int) { state.withLock { $0.most = most } }

    func take(_ partition: Partition, token: Int64) { state.withLock { $0.tokens[partition] = token } }

    func lose(_ partition: Partition) { state.withLock { $0.tokens[partition] = nil } }
}
