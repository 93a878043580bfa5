import GatewayCore
import Logging
import NIOCore
import Synchronization

/// Says why messages were not acknowledged: once a second at most, with how many failed since the last line.
final class FailureLog: Sendable {
    private let logger: Logger
    private let recurrence = Mutex(Recurrence())

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
        let now = MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        guard let count = recurrence.withLock({ $0.happened(at: now) }) else { return }
        logger.warning("Messages could not be acknowledged", metadata: ["count": "\(count)", "reason": "\(reason)"])
    }
}
