import Metrics
import Synchronization

/// Whether the backend can do its work just now, as the links and the registry told it.
final class Health: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case commands, subscriptions, registration, checks

        /// What is said while it is missing.
        var reason: String {
            switch self {
            case .commands: "Redis is not reached"
            case .subscriptions: "the subscriptions to Redis are not in place"
            case .registration: "the node is not registered in Redis"
            case .checks: "Redis has not been checked"
            }
        }
    }

    private let parts = Mutex<Set<Part>>([])
    private let isUp: Gauge

    init(metrics: any MetricsFactory) {
        isUp = Gauge(label: "martlet_redis_up", dimensions: [], factory: metrics)
        isUp.record(0)
    }

    func set(_ part: Part, _ isThere: Bool) {
        let isWhole = parts.withLock { parts in
            if isThere { parts.insert(part) } else { parts.remove(part) }
            return parts.count == Part.allCases.count
        }
        isUp.record(isWhole ? 1 : 0)
    }

    /// Nil where all is well, else the first thing that is missing.
    var problem: String? {
        let parts = parts.withLock { $0 }
        return Part.allCases.first { !parts.contains($0) }?.reason
    }
}
