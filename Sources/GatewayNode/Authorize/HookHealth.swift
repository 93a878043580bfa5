import GatewayCore
import Logging
import Synchronization

/// Whether the backend answers, told to the log when that changes.
final class HookHealth: Sendable {
    /// What a question got no answer for.
    enum Cause: Hashable {
        /// The backend had all of its time.
        case backend
        /// It turns down what was asked, as a client can bring about.
        case question
        /// So many ask that it had no time, or not all of it.
        case crowd
    }

    private struct State {
        var problem: String?
        var isAway = false
        var trouble = Trouble()
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Nil where the last call was answered.
    var problem: String? { state.withLock { $0.problem } }

    /// Whether no call has been answered since one failed for the backend's own sake.
    var isAway: Bool { state.withLock(\.isAway) }

    func answered() {
        let isNews = state.withLock { state in
            (state.problem, state.isAway) = (nil, false)
            return state.trouble.passed()
        }
        if isNews { logger.info("the backend of hooks.authorize answers again") }
    }

    func failed(_ reason: String, cause: Cause = .backend, now: MonotonicTime) {
        let isNews = state.withLock { state in
            // The crowd follows from a backend that is away, which is what there is to know.
            if cause == .crowd, state.isAway { return false }
            state.problem = reason
            state.isAway = state.isAway || cause == .backend
            return state.trouble.failed(reason, at: now)
        }
        guard isNews else { return }
        logger.warning(
            "the backend of hooks.authorize gives no answer that counts", metadata: ["reason": "\(reason)"])
    }
}
