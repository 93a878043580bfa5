import NIOCore
import RedisClient

/// An answer that is on its way: who asks much at once asks all of it before waiting, so that it goes in one pipeline.
struct Asked<Answer: Sendable>: Sendable {
    private let result: EventLoopFuture<Result<Answer, CallError>>

    fileprivate init(
        on loop: any EventLoop, _ ask: (@escaping @Sendable (Result<Answer, CallError>) -> Void) -> Void
    ) {
        let promise = loop.makePromise(of: Result<Answer, CallError>.self)
        ask { promise.succeed($0) }
        result = promise.futureResult
    }

    var answer: Answer {
        get async throws(CallError) {
            do {
                return try await result.get().get()
            } catch {
                // The future itself never fails.
                throw error as? CallError ?? .failed(.closed)
            }
        }
    }
}

extension Store {
    func ask<Called: Script>(_ script: Called) -> Asked<Called.Answer> {
        Asked(on: link.eventLoop) { call(script, reply: $0) }
    }

    func ask<Answer>(_ command: KeyCommand<Answer>) -> Asked<Answer> {
        Asked(on: link.eventLoop) { send(command, reply: $0) }
    }
}

extension Array {
    /// All answers, in order.
    func answers<Answer>() async throws(CallError) -> [Answer] where Element == Asked<Answer> {
        var answers: [Answer] = []
        answers.reserveCapacity(count)
        for asked in self { answers.append(try await asked.answer) }
        return answers
    }
}
