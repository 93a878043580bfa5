import GatewayCore
import NIOCore

/// Questions to all nodes over their channels, each until all have answered, or one has said enough.
///
/// It belongs to the store's loop.
struct NodePoll<Outcome: Sendable> {
    /// A question that not all nodes have answered.
    private struct Question {
        var silent: Set<String>
        var outcome: Outcome
        let reply: @Sendable (Result<Outcome, BackendError>) -> Void
        let deadline: Scheduled<Void>
    }

    /// A node on this machine or beside it answers within milliseconds.
    private static var patience: TimeAmount { .seconds(2) }

    private var questions: [Int: Question] = [:]
    private var count = 0

    /// - Parameters:
    ///   - outcome: before the first answer.
    ///   - timedOut: called where a node is silent for too long.
    /// - Returns: the question's number.
    mutating func ask(
        _ nodes: [String], beginningWith outcome: Outcome, on loop: any EventLoop,
        timedOut: @escaping @Sendable (Int) -> Void, reply: @escaping @Sendable (Result<Outcome, BackendError>) -> Void
    ) -> Int {
        count += 1
        let number = count
        let deadline = loop.scheduleTask(in: NodePoll.patience) { timedOut(number) }
        questions[number] = Question(silent: Set(nodes), outcome: outcome, reply: reply, deadline: deadline)
        if nodes.isEmpty { end(number) }
        return number
    }

    /// - Parameter add: what the node's answer makes of the outcome; true where the others need not be waited for.
    mutating func answered(_ number: Int, by node: String, _ add: (inout Outcome) -> Bool) {
        guard var question = questions[number], question.silent.remove(node) != nil else { return }
        let isEnough = add(&question.outcome)
        questions[number] = question
        if isEnough || question.silent.isEmpty { end(number) }
    }

    mutating func failed(_ number: Int, _ error: BackendError) {
        guard let question = questions.removeValue(forKey: number) else { return }
        question.deadline.cancel()
        question.reply(.failure(error))
    }

    private mutating func end(_ number: Int) {
        guard let question = questions.removeValue(forKey: number) else { return }
        question.deadline.cancel()
        question.reply(.success(question.outcome))
    }
}
