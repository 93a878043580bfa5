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

    /// Why the latest question that got no answer got none.
    struct Problem {
        let reason: String
        let cause: Cause
        let moment: MonotonicTime
    }

    /// What clients have brought about is over some time after the last of them.
    private static let passing = Duration.seconds(30)

    private struct State {
        var problem: Problem?
        var isAway = false
        var trouble = Trouble()
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Nil where the last call was answered, or nothing but what clients bring about has happened, and that a while ago.
    func problem(now: MonotonicTime) -> Problem? {
        state.withLock { state in
            guard let problem = state.problem, !state.isAway else { return state.problem }
            return now - problem.moment < HookHealth.passing ? problem : nil
        }
    }

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
            state.problem = Problem(reason: reason, cause: cause, moment: now)
            state.isAway = state.isAway || cause == .backend
            return state.trouble.failed(reason, at: now)
        }
        guard isNews else { return }
        logger.warning(
            "the backend of hooks.authorize gives no answer that counts", metadata: ["reason": "\(reason)"])
    }
}
