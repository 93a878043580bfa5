import Dialects
import GatewayCore
import NIOCore
import Traces
import Tracing

/// Publishes what backends post, one broadcast or many at once.
struct Broadcaster: Sendable {
    let log: any MessageLog
    /// Of targets that were not reached.
    let failures: RecurringWarning
    /// Names a broadcast; never twice the same.
    var makeID: @Sendable () -> String = { BulkRandom.names.name(digits: 32) }

    /// As many broadcasts as one batch may hold.
    static let maxBatch = 1000

    /// As many bytes as one request may have stored, counted once for each target: more would lie in memory all at once.
    static let maxStoredBytes = 64 << 20

    /// As many of them are on their way to Redis at once: other requests and clients have room beside it, in a node with
    /// little memory too.
    static let maxBytesUnderWay = 4 << 20

    /// The answer to `POST /v1/broadcast`.
    ///
    /// - Parameters:
    ///   - key: what may bind it to rooms.
    ///   - scope: the app whose names it has; nil for native ones.
    func answerOne(_ body: [UInt8], by key: BackendKey? = nil, of scope: AppScope? = nil) async throws -> [UInt8] {
        let request = try Broadcaster.one(body, by: key, of: scope)
        let outcome = await withCheckedContinuation { continuation in
            send(request, within: ServiceContext.current) { continuation.resume(returning: $0) }
        }
        return try Broadcaster.answer(outcome)
    }

    /// The answer to `POST /v1/broadcast/batch`: 200 as soon as the batch itself can be read, errors inside.
    func answerBatch(_ body: [UInt8], by key: BackendKey? = nil, of scope: AppScope? = nil) async throws -> [UInt8] {
        await Broadcaster.answer(send(try Broadcaster.batch(body, by: key, of: scope)))
    }

    /// The same answers without a task: where the log answers on the loop, nothing leaves it.
    ///
    /// - Parameters:
    ///   - isBatch: which of both is asked for.
    ///   - context: the trace that it belongs to.
    ///   - reply: called once, on the loop, at once too.
    func answer(
        _ body: [UInt8], isBatch: Bool, by key: BackendKey?, within context: ServiceContext?, on loop: any EventLoop,
        reply: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
    ) {
        do {
            if isBatch {
                send(try Broadcaster.batch(body, by: key, of: nil), within: context) { answers in
                    loop.run { reply(.success(Broadcaster.answer(answers.outcomes))) }
                }
            } else {
                send(try Broadcaster.one(body, by: key, of: nil), within: context) { outcome in
                    loop.run { reply(Result { try Broadcaster.answer(outcome) }) }
                }
            }
        } catch {
            reply(.failure(error))
        }
    }

    private static func one(_ body: [UInt8], by key: BackendKey?, of scope: AppScope?) throws -> BroadcastRequest {
        let request = try body.withUnsafeBytes { bytes throws(RequestError) in
            try Broadcaster.request(ObjectFields.value(of: bytes), by: key, of: scope)
        }
        try check(request.storedBytes)
        return request
    }

    private static func answer(_ outcome: BroadcastOutcome) throws(RequestError) -> [UInt8] {
        if case .failed(let error) = outcome { throw error }
        var answer: [UInt8] = []
        answer.reserveCapacity(usualAnswerBytes)
        JSONWriter.append(outcome: outcome, to: &answer)
        return answer
    }

    private static func batch(
        _ body: [UInt8], by key: BackendKey?, of scope: AppScope?
    ) throws -> [Result<BroadcastRequest, RequestError>] {
        let requests = try body.withUnsafeBytes { bytes throws(RequestError) in
            try Broadcaster.requests(in: ObjectFields.value(of: bytes), by: key, of: scope)
        }
        var bytes = 0
        for case .success(let request) in requests { bytes += request.storedBytes }
        try check(bytes)
        return requests
    }

    private static func answer(_ outcomes: [BroadcastOutcome]) -> [UInt8] {
        var answer: [UInt8] = []
        answer.reserveCapacity(outcomes.count * usualAnswerBytes)
        JSONWriter.append(#"{"results":["#, to: &answer)
        JSONWriter.append(outcomes, to: &answer) { JSONWriter.append(outcome: $0, to: &$1) }
        JSONWriter.append("]}", to: &answer)
        return answer
    }

    /// What tells of a broadcast to one room, about.
    private static let usualAnswerBytes = 256

    /// - Parameter bytes: payloads times targets.
    /// - Throws: `too_large` where they are more than one request may cause.
    private static func check(_ bytes: Int) throws(RequestError) {
        guard bytes <= maxStoredBytes else {
            throw RequestError(
                .tooLarge,
                "payload times targets is \(bytes) bytes, and one request may cause \(maxStoredBytes): send several")
        }
    }

    // MARK: Sending

    /// Sends each in turn; what they have for one room is stored in their order. One outcome for each.
    func send(_ requests: [Result<BroadcastRequest, RequestError>]) async -> [BroadcastOutcome] {
        await withCheckedContinuation { continuation in
            send(requests, within: ServiceContext.current) { continuation.resume(returning: $0) }
        }.outcomes
    }

    /// The answers to many requests, not yet summed up: they come on a thread that has other work.
    private struct Answers: Sendable {
        let requests: [Result<BroadcastRequest, RequestError>]
        let ids: [Result<String, RequestError>]
        /// One for each place of those that have an id.
        let answers: [Result<Published, BackendError>]

        var outcomes: [BroadcastOutcome] {
            var rest = answers[...]
            return zip(requests, ids).map { request, id in
                switch (request, id) {
                case (.failure(let error), _), (.success, .failure(let error)): return .failed(error)
                case (.success(let request), .success(let id)):
                    let own = rest.prefix(request.target.count)
                    rest = rest.dropFirst(own.count)
                    return BroadcastOutcome(id: id, target: request.target, answers: own)
                }
            }
        }
    }

    /// - Parameter reply: called once, on any thread, at once too.
    private func send(
        _ requests: [Result<BroadcastRequest, RequestError>], within context: ServiceContext?,
        reply: @escaping @Sendable (Answers) -> Void
    ) {
        claim(requests) { ids in
            publish(requests, ids, within: context, reply: reply)
        }
    }

    /// The same of one alone; most go to a single place under no key, and ask for nothing but that.
    private func send(
        _ request: BroadcastRequest, within context: ServiceContext?,
        reply: @escaping @Sendable (BroadcastOutcome) -> Void
    ) {
        guard request.idempotency == nil, request.target.count == 1, let room = request.target.first else {
            return send([.success(request)], within: context) { reply($0.outcomes[0]) }
        }
        let (id, target) = (makeID(), request.target)
        let publication = request.publication(to: room, mark: nil, cause: context?.cause)
        ServiceContext.run(within: context) {
            log.publish(publication) { [failures] answer in
                Broadcaster.record(CollectionOfOne(answer), in: failures)
                reply(BroadcastOutcome(id: id, target: target, answers: [answer][...]))
            }
        }
    }

    /// - Parameter ids: as claimed.
    private func publish(
        _ requests: [Result<BroadcastRequest, RequestError>], _ ids: [Result<String, RequestError>],
        within context: ServiceContext?, reply: @escaping @Sendable (Answers) -> Void
    ) {
        let cause = context?.cause
        var publications: [Publication] = []
        publications.reserveCapacity(requests.count)
        for (request, id) in zip(requests, ids) {
            guard case .success(let request) = request, case .success(let id) = id else { continue }
            // The id stands for the claim, not the key: a key that is taken again after its 10 minutes must not meet
            // the marks of its former life.
            let mark = request.idempotency.map { _ in DedupeMark(owner: .api, key: id) }
            request.target.forEachRoom { room in
                publications.append(request.publication(to: room, mark: mark, cause: cause))
            }
        }
        Gathering.answers(
            to: publications, mostBytes: Broadcaster.maxBytesUnderWay, bytes: { $0.payload.count },
            ask: { [log] publication, reply in
                ServiceContext.run(within: context) { log.publish(publication, reply: reply) }
            },
            done: { [failures] answers in
                Broadcaster.record(answers, in: failures)
                reply(Answers(requests: requests, ids: ids, answers: answers))
            })
    }

    /// The id each request goes under: a new one, or the first one's where its key was used before.
    private func claim(
        _ requests: [Result<BroadcastRequest, RequestError>],
        reply: @escaping @Sendable ([Result<String, RequestError>]) -> Void
    ) {
        let ids: [Result<String, RequestError>] = requests.map { _ in .success(makeID()) }
        var claims: [Claim] = []
        for (index, request) in requests.enumerated() {
            guard case .success(let request) = request, let idempotency = request.idempotency,
                case .success(let id) = ids[index], let room = request.target.first
            else { continue }
            claims.append(Claim(index: index, id: id, idempotency: idempotency, room: room))
        }
        guard !claims.isEmpty else { return reply(ids) }
        Gathering.answers(
            to: claims,
            ask: { [log] claim, reply in
                log.claim(
                    key: claim.idempotency.key, digest: claim.idempotency.digest, id: claim.id, beside: claim.room,
                    reply: reply)
            },
            done: { [failures, claims] answers in
                Broadcaster.record(answers, in: failures)
                var ids = ids
                for (claim, answer) in zip(claims, answers) {
                    ids[claim.index] = answer.mapError { error in
                        error == .conflict
                            ? RequestError(.conflict, "idempotencyKey: used for another request") : error.request
                    }
                }
                reply(ids)
            })
    }

    /// A request's wish to go under an id of its own.
    private struct Claim: Sendable {
        let index: Int
        let id: String
        let idempotency: BroadcastRequest.Idempotency
        let room: RoomName
    }

    private static func record<Value>(
        _ answers: some Collection<Result<Value, BackendError>>, in failures: RecurringWarning
    ) {
        var count = 0
        var last = ""
        for case .failure(.unavailable(let reason)) in answers {
            count += 1
            last = reason
        }
        guard count > 0 else { return }
        failures.record(count, because: last)
    }

    private static func request(
        _ object: JSONValue, by key: BackendKey?, of scope: AppScope?
    ) throws(RequestError) -> BroadcastRequest {
        var request = try BroadcastRequest(object)
        if let scope { request = try request.entered(scope) }
        try key?.check(request.target)
        return request
    }

    private static func requests(
        in batch: JSONValue, by key: BackendKey?, of scope: AppScope?
    ) throws(RequestError) -> [Result<BroadcastRequest, RequestError>] {
        let fields = try ObjectFields(
            of: batch, named: ["broadcasts"], path: "the body", upTo: JSONScanner.maxTextDepth)
        guard let list = fields["broadcasts"], let elements = try ObjectFields.elements(of: list),
            elements.count <= maxBatch
        else { throw RequestError(.badRequest, "broadcasts: must be an array of at most \(maxBatch) broadcasts") }
        return elements.map { element in
            Result { () throws(RequestError) in try request(element, by: key, of: scope) }
        }
    }
}

extension EventLoop {
    /// At once where this is its thread.
    fileprivate func run(_ work: @escaping @Sendable () -> Void) {
        if inEventLoop { work() } else { execute(work) }
    }
}

extension ServiceContext {
    /// Where there is none, what there is around it stays.
    fileprivate static func run(within context: ServiceContext?, _ work: () -> Void) {
        guard let context else { return work() }
        ServiceContext.$current.withValue(context, operation: work)
    }
}
