import RedisBackend
import Synchronization

/// Which partitions a worker has, for its lanes and for whoever prolongs their leases.
final class ArchiveShares: Sendable {
    private struct State {
        /// How many this worker may have: nobody has more than a fair share.
        var most = 0
        var held: [Partition: Share] = [:]
    }

    private struct Share {
        var token: Int64
        var prolonged: ContinuousClock.Instant
    }

    private let state = Mutex(State())

    /// Those whose lease no lane has prolonged for so long, by their tokens.
    func idle(for time: Duration) -> [Partition: Int64] {
        let limit = ContinuousClock.now - time
        return state.withLock { $0.held.filter { $0.value.prolonged < limit }.mapValues(\.token) }
    }

    func has(_ partition: Partition) -> Bool { state.withLock { $0.held[partition] != nil } }

    /// Whether one more is the worker's to take.
    var hasRoom: Bool { state.withLock { $0.held.count < $0.most } }

    /// Whether others wait for one of these.
    var hasTooMany: Bool { state.withLock { $0.held.count > $0.most } }

    func allow(_ most: Int) { state.withLock { $0.most = most } }

    /// A lane has the partition's lease for its whole life again.
    func take(_ partition: Partition, token: Int64) {
        state.withLock { $0.held[partition] = Share(token: token, prolonged: .now) }
    }

    func lose(_ partition: Partition) { state.withLock { $0.held[partition] = nil } }
}
