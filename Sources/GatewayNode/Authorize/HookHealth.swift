import GatewayCore
import Logging
import Synchronization

/// Whether the backend answers, told to the log when that changes.
final class HookHealth: Sendable {
    private struct State {
        var problem: String?
        var trouble = Trouble()
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Nil where the last call was answered.
    var problem: String? { state.withLock { $0.problem } }

    func answered() {
        let isNews = state.withLock { state in
            state.problem = nil
            return state.trouble.passed()
        }
        if isNews { logger.info("the backend of hooks.authorize answers again") }
    }

    func failed(_ reason: String, now: MonotonicTime) {
        let isNews = state.withLock { state in
            state.problem = reason
            return state.trouble.failed(reason, at: now)
        }
        guard isNews else { return }
        logger.warning(
            "the backend of hooks.authorize gives no answer that counts", metadata: ["reason": "\(reason)"])
    }
}
