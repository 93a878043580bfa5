import Dialects
import GatewayCore
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
        let request = try body.withUnsafeBytes { bytes throws(RequestError) in
            try Broadcaster.request(ObjectFields.value(of: bytes), by: key, of: scope)
        }
        try Broadcaster.check([.success(request)])
        let outcome = await send([.success(request)])[0]
        if case .failed(let error) = outcome { throw error }
        var answer: [UInt8] = []
        answer.reserveCapacity(Broadcaster.usualAnswerBytes)
        JSONWriter.append(outcome: outcome, to: &answer)
        return answer
    }

    /// The answer to `POST /v1/broadcast/batch`: 200 as soon as the batch itself can be read, errors inside.
    func answerBatch(_ body: [UInt8], by key: BackendKey? = nil, of scope: AppScope? = nil) async throws -> [UInt8] {
        let requests = try body.withUnsafeBytes { bytes throws(RequestError) in
            try Broadcaster.requests(in: ObjectFields.value(of: bytes), by: key, of: scope)
        }
        try Broadcaster.check(requests)
        var answer: [UInt8] = []
        answer.reserveCapacity(requests.count * Broadcaster.usualAnswerBytes)
        JSONWriter.append(#"{"results":["#, to: &answer)
        for (index, outcome) in await send(requests).enumerated() {
            if index > 0 { JSONWriter.append(",", to: &answer) }
            JSONWriter.append(outcome: outcome, to: &answer)
        }
        JSONWriter.append("]}", to: &answer)
        return answer
    }

    /// What tells of a broadcast to one room, about.
    private static let usualAnswerBytes = 256

    /// - Throws: `too_large` where payloads times targets are more than one request may cause.
    private static func check(_ requests: [Result<BroadcastRequest, RequestError>]) throws(RequestError) {
        var bytes = 0
        for case .success(let request) in requests { bytes += request.payload.count * request.target.count }
        guard bytes <= maxStoredBytes else {
            throw RequestError(
                .tooLarge,
                "payload times targets is \(bytes) bytes, and one request may cause \(maxStoredBytes): send several")
        }
    }

    /// Sends each in turn; what they have for one room is stored in their order. One outcome for each.
    func send(_ requests: [Result<BroadcastRequest, RequestError>]) async -> [BroadcastOutcome] {
        let cause = ServiceContext.current?.cause
        let ids = await claim(requests)
        var publications: [Publication] = []
        publications.reserveCapacity(requests.count)
        for (request, id) in zip(requests, ids) {
            guard case .success(let request) = request, case .success(let id) = id else { continue }
            // The id stands for the claim, not the key: a key that is taken again after its 10 minutes must not meet
            // the marks of its former life.
            let mark = request.idempotency.map { _ in DedupeMark(owner: .api, key: id) }
            for room in request.target.rooms {
                var publication = Publication(
                    room: room, userId: request.userId, msgType: request.msgType, event: request.event,
                    payload: request.payload, dedupe: mark)
                (publication.isVolatile, publication.except) = (request.isVolatile, request.except)
                publication.cause = cause
                publications.append(publication)
            }
        }
        let answers = await Gathering.answers(
            to: publications, mostBytes: Broadcaster.maxBytesUnderWay, bytes: { $0.payload.count }
        ) { log.publish($0, reply: $1) }
        logFailures(in: answers)
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

    /// The id each request goes under: a new one, or the first one's where its key was used before.
    private func claim(
        _ requests: [Result<BroadcastRequest, RequestError>]
    ) async -> [Result<String, RequestError>] {
        var ids: [Result<String, RequestError>] = requests.map { _ in .success(makeID()) }
        var claims: [(index: Int, id: String, idempotency: BroadcastRequest.Idempotency, room: RoomName)] = []
        for (index, request) in requests.enumerated() {
            guard case .success(let request) = request, let idempotency = request.idempotency,
                case .success(let id) = ids[index], let room = request.target.first
            else { continue }
            claims.append((index, id, idempotency, room))
        }
        guard !claims.isEmpty else { return ids }
        let answers = await Gathering.answers(to: claims) { claim, reply in
            log.claim(
                key: claim.idempotency.key, digest: claim.idempotency.digest, id: claim.id, beside: claim.room,
                reply: reply)
        }
        logFailures(in: answers)
        for (claim, answer) in zip(claims, answers) {
            ids[claim.index] = answer.mapError { error in
                error == .conflict
                    ? RequestError(.conflict, "idempotencyKey: used for another request") : error.request
            }
        }
        return ids
    }

    private func logFailures<Value>(in answers: [Result<Value, BackendError>]) {
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
