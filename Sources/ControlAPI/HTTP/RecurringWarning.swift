import GatewayCore
import Logging
import NIOCore
import Synchronization

/// A warning that a backend which tries again and again would else write for each of its requests.
final class RecurringWarning: Sendable {
    private let text: Logger.Message
    private let logger: Logger
    private let recurrence = Mutex(Recurrence())

    init(_ text: Logger.Message, _ logger: Logger) {
        self.text = text
        self.logger = logger
    }

    func record(_ count: Int = 1, because reason: String) {
        let now = MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        guard let all = recurrence.withLock({ $0.happened(count, at: now) }) else { return }
        logger.warning(text, metadata: ["count": "\(all)", "reason": "\(reason)"])
    }
}
