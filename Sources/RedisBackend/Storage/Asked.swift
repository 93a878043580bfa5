import RedisClient
import Synchronization

/// An answer that is on its way: who asks much at once asks all of it before waiting, so that it goes in one pipeline.
///
/// For one waiter at a time. The answer may come on any thread; once it is there, waiting suspends nobody.
final class Asked<Answer: Sendable>: Sendable {
    private typealias Outcome = Result<Answer, CallError>

    private enum State {
        case open
        case awaited(CheckedContinuation<Void, Never>)
        case answered(Outcome)
    }

    private let state = Mutex(State.open)

    fileprivate init(_ ask: (@escaping @Sendable (Result<Answer, CallError>) -> Void) -> Void) {
        ask { self.receive($0) }
    }

    var answer: Answer {
        get async throws(CallError) {
            await arrived()
            return try outcome.get()
        }
    }

    /// Waits until the answer is there, whatever it is.
    func arrived() async {
        if case .answered = state.withLock({ $0 }) { return }
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                switch state {
                case .open:
                    state = .awaited(continuation)
                    return false
                case .awaited: preconditionFailure("a second waiter for one answer")
                case .answered: return true
                }
            }
            if isThere { continuation.resume() }
        }
    }

    private var outcome: Outcome {
        guard case .answered(let outcome) = state.withLock({ $0 }) else {
            preconditionFailure("an answer is read before it has arrived")
        }
        return outcome
    }

    private func receive(_ outcome: Outcome) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            defer { state = .answered(outcome) }
            guard case .awaited(let waiter) = state else { return nil }
            return waiter
        }
        waiter?.resume()
    }
}

extension Store {
    func ask<Called: Script>(_ script: Called) -> Asked<Called.Answer> {
        Asked { call(script, reply: $0) }
    }

    func ask<Answer>(_ command: KeyCommand<Answer>) -> Asked<Answer> {
        Asked { send(command, reply: $0) }
    }
}

extension Array {
    /// All answers, in order; the last is waited for first, since those before it come no later.
    func answers<Answer>() async throws(CallError) -> [Answer] where Element == Asked<Answer> {
        await last?.arrived()
        var answers: [Answer] = []
        answers.reserveCapacity(count)
        for asked in self { answers.append(try await asked.answer) }
        return answers
    }
}
