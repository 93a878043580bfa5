import GatewayCore
import Logging
import Synchronization

/// Whether the backend answers, told to the log when that changes.
final class HookHealth: Sendable {
    private struct State {
        var problem: String?
        /// Whether the problem is the backend's, and not that too many ask here.
        var isBackends = false
        var trouble = Trouble()
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Nil where the last call was answered.
    var problem: String? { state.withLock { $0.problem } }

    /// Whether the last call that had all of its time got no answer.
    var isAway: Bool { state.withLock(\.isBackends) }

    func answered() {
        let isNews = state.withLock { state in
            (state.problem, state.isBackends) = (nil, false)
            return state.trouble.passed()
        }
        if isNews { logger.info("the backend of hooks.authorize answers again") }
    }

    /// - Parameter isBackends: false where clients can bring it about: it had no time, or not all of it, since too many ask, or
    ///   it turns down what they ask.
    func failed(_ reason: String, isBackends: Bool = true, now: MonotonicTime) {
        let isNews = state.withLock { state in
            if !isBackends, state.isBackends { return false }
            (state.problem, state.isBackends) = (reason, isBackends)
            return state.trouble.failed(reason, at: now)
        }
        guard isNews else { return }
        logger.warning(
            "the backend of hooks.authorize gives no answer that counts", metadata: ["reason": "\(reason)"])
    }
}
