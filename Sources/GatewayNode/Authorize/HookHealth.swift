import GatewayCore
import Logging
import Synchronization

/// Whether the backend answers, told to the log when that changes: two lines in ten seconds at the most, so that one that
/// answers every other time does not fill it.
final class HookHealth: Sendable {
    private struct State {
        var problem: String?
        /// What the log says last; nil where that is that it answers.
        var told: String?
        var toldAt: MonotonicTime?
    }

    private static let pause = Duration.seconds(10)

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Nil where the last call was answered.
    var problem: String? { state.withLock { $0.problem } }

    func answered() {
        let isNews = state.withLock { state in
            defer { (state.problem, state.told) = (nil, nil) }
            return state.told != nil
        }
        if isNews { logger.info("the backend of hooks.authorize answers again") }
    }

    func failed(_ reason: String, now: MonotonicTime) {
        let isNews = state.withLock { state in
            state.problem = reason
            guard state.told != reason, state.toldAt.map({ now >= $0 + HookHealth.pause }) ?? true else { return false }
            (state.told, state.toldAt) = (reason, now)
            return true
        }
        guard isNews else { return }
        logger.warning(
            "the backend of hooks.authorize gives no answer that counts", metadata: ["reason": "\(reason)"])
    }
}
