import GatewayCore
import Synchronization

/// Waits for the answers to many questions that were put one after another, without waiting in between.
final class Gathering<Value: Sendable>: Sendable {
    typealias Answer = Result<Value, BackendError>

    private struct State {
        var answers: [Answer?]
        var missing: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    private static var most: Int { 1000 }

    private init(count: Int) {
        state = Mutex(State(answers: Array(repeating: nil, count: count), missing: count))
    }

    /// Asks about every input in its order and returns the answers in that order; at most 1,000 are under way at once.
    ///
    /// - Parameters:
    ///   - mostBytes: of what is under way at once, unless a single one has more.
    ///   - bytes: what one holds.
    ///   - ask: puts the question; its reply comes once, on any thread, at once too.
    static func answers<Input: Sendable>(
        to inputs: [Input], mostBytes: Int = .max, bytes: (Input) -> Int = { _ in 0 },
        ask: (Input, @escaping @Sendable (Answer) -> Void) -> Void
    ) async -> [Answer] {
        if inputs.count == 1 {
            return [
                await withCheckedContinuation { continuation in
                    ask(inputs[0]) { continuation.resume(returning: $0) }
                }
            ]
        }
        var all: [Answer] = []
        all.reserveCapacity(inputs.count)
        var rest = inputs[...]
        while !rest.isEmpty {
            var left = mostBytes
            let few = rest.prefix(most).prefix { input in
                defer { left -= bytes(input) }
                return left > 0
            }
            let turn = few.isEmpty ? rest.prefix(1) : few
            rest = rest.dropFirst(turn.count)
            let gathering = Gathering(count: turn.count)
            for (index, input) in turn.enumerated() {
                ask(input) { gathering.receive($0, at: index) }
            }
            all += await gathering.wait()
        }
        return all
    }

    private func receive(_ answer: Answer, at index: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.answers[index] == nil else { return nil }
            state.answers[index] = answer
            state.missing -= 1
            guard state.missing == 0 else { return nil }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    private func wait() async -> [Answer] {
        await withCheckedContinuation { continuation in
            let isComplete = state.withLock { state in
                if state.missing > 0 { state.waiter = continuation }
                return state.missing == 0
            }
            if isComplete { continuation.resume() }
        }
        return state.withLock { $0.answers.compactMap(\.self) }
    }
}
