import GatewayCore

/// Messages of rooms in Redis: one script to store and send, one to read.
struct RedisMessageLog: MessageLog {
    let store: Store
    /// A link of its own whose answers wait for a replica; nil where no room asks for it.
    let replicated: Store?
    let rules: Current<RoomRules>
    let names: NameSource
    /// The names of the stores' links.
    let link: String, replicatedLink: String
    let counters: BackendCounters
    let failures: FailureLog
    let memory: MemoryWatch
    let marks: SharedMarks
    /// How much of messages the ledgers keep; nil where nobody is told of them.
    let ledger: Publish.Bound?
    let format: WrittenFormat

    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        let (room, rules) = (publication.room, rules.now)
        if let refusal = refusal(of: publication) {
            counters.published(.failure(refusal))
            failures.record(refusal)
            return reply(.failure(refusal))
        }
        if !publication.isVolatile { memory.record(publication.payload.count) }
        var (store, link) = (store, link)
        let waits = rules.durability(of: room) == .replicated && !publication.isVolatile
        let replicated = waits ? replicated : nil
        if let replicated { (store, link) = (replicated, replicatedLink) }
        var call = Publish(
            MessageBody.encode(publication), to: room, under: publication.dedupe, limits: rules.log(of: room),
            candidate: names.epoch(), link: link)
        call.isReplicated = replicated != nil
        call.sender = publication.heedsSettings ? publication.userId : nil
        call.isVolatile = publication.isVolatile
        if publication.isVolatile {
            if publication.isClientEvent, rules.notes(.clientEvent, in: room) { call.ledger = ledger }
        } else {
            if let ledger, rules.tellsMessages(of: room) { (call.ledger, call.cause) = (ledger, publication.cause) }
            if rules.isStreamed(room) || rules.isArchived(room) {
                let bound = rules.streamBound
                call.stream = Publish.Bound(entries: bound.entries, bytes: bound.bytes)
            }
        }
        store.call(call, stalled: .fail) { [store, call, counters, failures] result in
            guard case .failure(let error) = result, let number = error.refusedRetry else {
                return Self.answer(result, counters, failures, reply)
            }
            store.call(FindPublished(call, number: number)) { found in
                if case .success = found { return Self.answer(found, counters, failures, reply) }
                Self.answer(result, counters, failures, reply)
            }
        }
    }

    private func refusal(of publication: Publication) -> BackendError? {
        if publication.isVolatile || publication.event != nil || publication.except != nil,
            format.number < MessageBody.formatOfNames
        {
            return .mixedReleases
        }
        if publication.isVolatile { return nil }
        return memory.isFull(publication.room) ? .full : marks.refusal(of: publication)
    }

    private static func answer(
        _ result: Result<Published, CallError>, _ counters: BackendCounters, _ failures: FailureLog,
        _ reply: @Sendable (Result<Published, BackendError>) -> Void
    ) {
        let answer = result.mapError(BackendError.init)
        counters.published(answer)
        if case .failure(let error) = answer { failures.record(error) }
        reply(answer)
    }

    func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        let call = ReadHistory(
            of: room, range: range, age: rules.now.log(of: room).age, candidate: names.epoch())
        store.read(call) { reply($0.mapError(BackendError.init)) }
    }

    func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        let request = IdempotentRequest(digest: digest, id: id)
        let life = DedupeMark(owner: .api, key: key).life
        store.send(.claim(store.keys.idempotency(key, beside: room), with: request.text, life: life)) { result in
            switch result {
            case .failure(let error):
                reply(.failure(BackendError(error)))
            case .success(.taken):
                reply(.success(id))
            case .success(.held(let text)):
                let first = IdempotentRequest(text)
                reply(first.flatMap { $0.digest == digest ? .success($0.id) : nil } ?? .failure(.conflict))
            }
        }
    }
}

extension DedupeMark {
    /// How long it is remembered.
    var life: Duration {
        switch owner {
        case .user: DedupeMark.userLife
        case .api: .seconds(600)
        case .outbox: .seconds(86_400)
        }
    }

    static let userLife = Duration.seconds(120)
}

extension LogLimits {
    /// How long a room's head outlives its last message.
    var headLife: Duration { age + .seconds(3600) }

    /// How long the head of a room outlives its last member or follower that was never written to: a position of it is as
    /// good under the next epoch, since there is nothing that it could have seen.
    static let emptyHeadLife = Duration.seconds(300)
}

extension RoomName {
    /// Whether it can have settings: a room proper.
    package var takesSettings: Bool { !isInbox && !isEveryone }

    /// Whose inbox it is; nil for any other room.
    var inboxOwner: UserID? { isInbox ? UserID(unchecked: owner) : nil }
}
