import GatewayCore
import Logging
import Synchronization

/// Says why messages were not acknowledged: once a second at most, with how many failed since the last line.
final class FailureLog: Sendable {
    private struct State {
        var last: ContinuousClock.Instant?
        var unsaid = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    func record(_ error: BackendError) {
        let reason =
            switch error {
            case .unavailable(let reason): reason
            case .unconfirmed: "too few replicas of Redis have them"
            case .full: "Redis is fuller than redis.budget allows"
            case .mixedReleases: "nodes of an earlier release still run"
            case .conflict, .tooManyMarks, .barred: String?.none
            }
        guard let reason else { return }
        let now = ContinuousClock.now
        let count: Int? = state.withLock { state in
            state.unsaid += 1
            if let last = state.last, last.duration(to: now) < .seconds(1) { return nil }
            defer { state = State(last: now, unsaid: 0) }
            return state.unsaid
        }
        guard let count else { return }
        logger.warning("Messages could not be acknowledged", metadata: ["count": "\(count)", "reason": "\(reason)"])
    }
}
