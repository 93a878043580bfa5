import GatewayCore
import Synchronization

/// What is asked of many users, partition by partition, before any of it is waited for: in one pipeline to each server.
///
/// For one waiter. All answers come to one place, and not each to one of its own: a hundred users lie in fifty partitions, and
/// each is asked three questions.
final class AskedStatuses: Sendable {
    /// What one partition answers, in the order of the users that are asked for.
    struct Answers: Sendable {
        fileprivate var online: Result<[Int64?], CallError>?
        fileprivate var seen: Result<[Int64?], CallError>?
        fileprivate var states: Result<[String?], CallError>?

        /// - Throws: where one of them is missing.
        func get() throws(CallError) -> (online: [Int64?], seen: [Int64?], states: [String?]) {
            guard let online, let seen, let states else {
                preconditionFailure("an answer is read before it has arrived")
            }
            return (try online.get(), try seen.get(), try states.get())
        }
    }

    private struct State {
        var answers: [Answers]
        var missing: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    /// - Parameter groups: the names of users, those of one partition each.
    init(_ groups: [(partition: Partition, names: [String])], of store: Store) {
        state = Mutex(
            State(answers: Array(repeating: Answers(), count: groups.count), missing: 3 * groups.count))
        for (index, group) in groups.enumerated() {
            let (partition, names) = group
            store.send(.scores(of: names, in: store.keys.online(partition))) { answer in
                self.receive { $0[index].online = answer }
            }
            store.send(.fields(names, of: store.keys.states(partition))) { answer in
                self.receive { $0[index].states = answer }
            }
            store.send(.scores(of: names, in: store.keys.seen(partition))) { answer in
                self.receive { $0[index].seen = answer }
            }
        }
    }

    /// Waits until all have come, whatever they are; in the order of the groups.
    func answers() async -> [Answers] {
        await withCheckedContinuation { continuation in
            let isComplete = state.withLock { state in
                if state.missing > 0 { state.waiter = continuation }
                return state.missing == 0
            }
            if isComplete { continuation.resume() }
        }
        return state.withLock { $0.answers }
    }

    private func receive(_ take: (inout [Answers]) -> Void) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            take(&state.answers)
            state.missing -= 1
            return state.missing == 0 ? state.waiter.take() : nil
        }
        waiter?.resume()
    }
}
