import GatewayCore
import NIOCore
import Synchronization

/// The budget of marks of all users of the node, for publishers on any thread.
final class SharedMarks: Sendable {
    private let budget: Mutex<MarkBudget>

    init(limit: Int, life: Duration) {
        budget = Mutex(MarkBudget(limit: limit, life: life))
    }

    /// Takes what a publication needs; nil where it may go.
    func refusal(of publication: Publication) -> BackendError? {
        // A backend's keys are its own affair.
        guard let mark = publication.dedupe, case .user(let user) = mark.owner else { return nil }
        let now = MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        return budget.withLock { $0.spend(user, now: now) }.map { .tooManyMarks(retryAfter: $0) }
    }
}
