import GatewayCore
import Synchronization

/// How far Redis's clock is ahead of the node's monotonic one, as the beats find it, for measuring; any thread.
///
/// Of a Cluster it is the clock of the server that has the index: what the others' differ by shows in what is measured.
final class RedisClock: Sendable {
    private let milliseconds = Atomic<Int64>(.min)

    func found(ahead: Int64) { milliseconds.store(ahead, ordering: .relaxed) }

    /// In milliseconds; nil before the first beat.
    var ahead: Int64? {
        let ahead = milliseconds.load(ordering: .relaxed)
        return ahead == .min ? nil : ahead
    }
}
