import GatewayCore
import NIOCore
import RedisClient
import Tracing
import Traces

/// The command link with the house's rule on top: a script touches one partition only.
package final class Store: Sendable {
    package let link: RedisCommandLink
    package let keys: Keys
    private let times: ScriptTimes?
    private let tracer: (any Tracer)?

    /// - Parameters:
    ///   - times: where it is counted how long scripts take.
    ///   - tracer: makes spans of the scripts that traced calls need.
    package init(link: RedisCommandLink, keys: Keys, times: ScriptTimes? = nil, tracer: (any Tracer)? = nil) {
        self.link = link
        self.keys = keys
        self.times = times
        self.tracer = tracer
    }

    /// Whether calls about a partition go straight out; of a Cluster on the link's loop only.
    func isConnected(_ partition: Partition) -> Bool { link.isConnected(for: partition.slot) }

    /// The same of what the deployment has as a whole.
    var isIndexConnected: Bool { link.isConnected(for: Keys.indexSlot) }

    /// Calls a script, whose keys and channels are of one partition; `reply` comes on the link's loop.
    ///
    /// In a Redis Cluster a publish to another slot reaches nobody, or fails after the writes: a call across
    /// partitions is our own mistake and stops the program.
    package func call<Called: Script>(
        _ script: Called, timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<Called.Answer, CallError>) -> Void
    ) {
        perform(script, timeout, stalled, read: script.read, reply)
    }

    /// As above. What the reply tells by itself is read without the call, which need not be kept until then.
    package func call<Called: Script>(
        _ script: Called, timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<Called.Answer, CallError>) -> Void
    ) where Called.Answer: ScriptAnswer {
        perform(script, timeout, stalled, read: Called.Answer.init, reply)
    }

    /// Calls a script that mostly reads; a Redis that takes no writes answers it too where there is nothing new to write.
    package func read<Called: ReadingScript>(
        _ script: Called, reply: @escaping @Sendable (Result<Called.Answer, CallError>) -> Void
    ) {
        call(script) { result in
            guard case .failure(let error) = result, error.isRefusedWrite else { return reply(result) }
            self.call(Unwritten(script), reply: reply)
        }
    }

    private func perform<Called: Script>(
        _ script: Called, _ timeout: TimeAmount?, _ stalled: StallPolicy,
        read: @escaping @Sendable (RedisReply) -> Called.Answer?,
        _ reply: @escaping @Sendable (Result<Called.Answer, CallError>) -> Void
    ) {
        let call = script.spelled(with: keys)
        let name = script.file.name
        guard call.isOfOnePartition else {
            preconditionFailure("\(name) would touch several partitions: \(call.keys) \(call.channels)")
        }
        let sent = NIODeadline.now()
        let series = times?.series(of: name)
        series?.began()
        let span = span(of: name)
        link.call(
            script.file, keys: call.declared(by: keys), arguments: call.arguments, for: call.slot, timeout: timeout,
            stalled: stalled
        ) { result in
            series?.ended(since: sent, hasFailed: result.hasFailed)
            span?.end(result)
            reply(Store.answer(result, of: name, read: read))
        }
    }

    /// Nil where the caller's trace is not written down.
    private func span(of script: String) -> (any Span)? {
        guard let tracer, let context = ServiceContext.current, context.trace?.isSampled == true else { return nil }
        let span = tracer.startSpan(script, context: context, ofKind: .client)
        span.updateAttributes { attributes in
            attributes["db.system.name"] = "redis"
            attributes["db.operation.name"] = script
        }
        return span
    }

    /// Sends one command; `reply` comes on the link's loop.
    package func send<Answer>(
        _ command: KeyCommand<Answer>, reply: @escaping @Sendable (Result<Answer, CallError>) -> Void = { _ in }
    ) {
        link.send(command.words, for: command.slot) { reply(Store.answer($0, of: command.name, read: command.read)) }
    }

    private static func answer<Answer>(
        _ result: Result<RedisReply, RedisError>, of name: String, read: (RedisReply) -> Answer?
    ) -> Result<Answer, CallError> {
        switch result {
        case .success(let reply): read(reply).map { .success($0) } ?? .failure(.unreadable(call: name))
        case .failure(let error): .failure(.failed(error))
        }
    }
}

extension Store {
    /// As above; cancelling the task does not take the call back.
    package func call<Called: Script>(_ script: Called) async throws(CallError) -> Called.Answer {
        let result = await withCheckedContinuation { continuation in
            call(script) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// As above; cancelling the task does not take the call back.
    package func read<Called: ReadingScript>(_ script: Called) async throws(CallError) -> Called.Answer {
        let result = await withCheckedContinuation { continuation in
            read(script) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// As above; cancelling the task does not take the command back.
    package func send<Answer>(_ command: KeyCommand<Answer>) async throws(CallError) -> Answer {
        let result = await withCheckedContinuation { continuation in
            send(command) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

extension Result where Success == RedisReply, Failure == RedisError {
    /// What a room's settings do not allow is an answer, and anybody can ask for it.
    fileprivate var hasFailed: Bool {
        switch self {
        case .success, .failure(.reply("BARRED", _)), .failure(.replyToRetry("BARRED", _, _)): false
        case .failure: true
        }
    }
}

extension Span {
    fileprivate func end(_ result: Result<RedisReply, RedisError>) {
        if result.hasFailed { setStatus(SpanStatus(code: .error)) }
        end()
    }
}

extension BackendError {
    /// What a failed command means for whoever asked.
    init(_ error: RedisError) {
        self = error == .unconfirmed ? .unconfirmed : .unavailable(reason: "\(error)")
    }
}
