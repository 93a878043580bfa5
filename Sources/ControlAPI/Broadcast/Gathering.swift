import GatewayCore
import Synchronization

/// Puts many questions one after another, without waiting in between, and gathers their answers.
final class Gathering<Input: Sendable, Value: Sendable>: Sendable {
    typealias Answer = Result<Value, BackendError>

    private struct State {
        var answers: [Answer?]
        /// The first input that was not asked about.
        var next = 0
        /// Answers that are missing of those that were asked for, and one more while there is more to be asked.
        var missing = 0
    }

    private let inputs: [Input]
    private let mostBytes: Int
    private let bytes: @Sendable (Input) -> Int
    private let ask: @Sendable (Input, @escaping @Sendable (Answer) -> Void) -> Void
    private let done: @Sendable ([Answer]) -> Void
    private let state: Mutex<State>

    private static var most: Int { 1000 }

    /// Asks about every input in its order; at most 1,000 are under way at once.
    ///
    /// - Parameters:
    ///   - mostBytes: of what is under way at once, unless a single one has more.
    ///   - bytes: what one holds.
    ///   - ask: puts the question; its reply comes once, on any thread, at once too.
    ///   - done: told the answers in the order of the inputs, once, on the thread of the last reply.
    static func answers(
        to inputs: [Input], mostBytes: Int = .max, bytes: @escaping @Sendable (Input) -> Int = { _ in 0 },
        ask: @escaping @Sendable (Input, @escaping @Sendable (Answer) -> Void) -> Void,
        done: @escaping @Sendable ([Answer]) -> Void
    ) {
        Gathering(inputs, mostBytes, bytes, ask, done).askOn()
    }

    private init(
        _ inputs: [Input], _ mostBytes: Int, _ bytes: @escaping @Sendable (Input) -> Int,
        _ ask: @escaping @Sendable (Input, @escaping @Sendable (Answer) -> Void) -> Void,
        _ done: @escaping @Sendable ([Answer]) -> Void
    ) {
        self.inputs = inputs
        self.mostBytes = mostBytes
        self.bytes = bytes
        self.ask = ask
        self.done = done
        state = Mutex(State(answers: Array(repeating: nil, count: inputs.count)))
    }

    /// A turn, and as many more as are answered by the time that they are asked.
    private func askOn() {
        repeat {
            let turn = state.withLock { nextTurn(&$0) }
            guard !turn.isEmpty else { return finish() }
            for index in turn {
                ask(inputs[index]) { self.receive($0, at: index) }
            }
        } while isAnswered()
    }

    private func nextTurn(_ state: inout State) -> Range<Int> {
        let first = state.next
        var left = mostBytes
        while state.next < inputs.count, state.next - first < Gathering.most {
            guard left > 0 || state.next == first else { break }
            left -= bytes(inputs[state.next])
            state.next += 1
        }
        state.missing = state.next - first + 1
        return first..<state.next
    }

    private func receive(_ answer: Answer, at index: Int) {
        let isLast = state.withLock { state in
            guard state.answers[index] == nil else { return false }
            state.answers[index] = answer
            state.missing -= 1
            return state.missing == 0
        }
        if isLast { askOn() }
    }

    /// All of the turn is asked; whether it is answered as well.
    private func isAnswered() -> Bool {
        state.withLock { state in
            state.missing -= 1
            return state.missing == 0
        }
    }

    private func finish() {
        done(state.withLock { $0.answers.compactMap(\.self) })
    }
}
