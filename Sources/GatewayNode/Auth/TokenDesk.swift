import Dispatch
import GatewayCore
import Synchronization

/// The one place where tokens are checked, one after the other on a thread of its own: however many come at once, event
/// loops are not held up, and no more than one core is taken from them.
///
/// The line before it has a bound; whoever finds it full is told so at once. Any thread may call.
final class TokenDesk: Sendable {
    /// At 100 µs each: two seconds' work.
    static let maxWaiting = 20_000

    private let queue = DispatchQueue(label: "martlet.tokens")
    private let waiting = Atomic<Int>(0)

    func check<Answer: Sendable>(_ work: @escaping @Sendable () -> Answer) async throws(TokenError) -> Answer {
        guard waiting.wrappingAdd(1, ordering: .relaxed).newValue <= TokenDesk.maxWaiting else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            throw TokenError("too many tokens wait to be checked", isTemporary: true)
        }
        return await withCheckedContinuation { continuation in
            queue.async { [self] in
                waiting.wrappingSubtract(1, ordering: .relaxed)
                continuation.resume(returning: work())
            }
        }
    }
}
