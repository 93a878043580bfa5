import GatewayCore
import RedisClient

/// Messages of rooms in Redis: one script to store and send, one to read.
struct RedisMessageLog: MessageLog {
    let store: Store
    /// A link of its own whose answers wait for a replica; nil where no room asks for it.
    let replicated: Store?
    let rules: RoomRules
    let names: NameSource
    /// The names of the stores' links.
    let link: String, replicatedLink: String
    let counters: BackendCounters
    let failures: FailureLog
    let memory: MemoryWatch
    let marks: SharedMarks
    /// How many entries of a ledger are kept, about, where it is told of messages; 0 where nobody is.
    let ledgerSize: Int
    /// How many bytes of messages each of them keeps.
    let ledgerBytes: Int

    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        let room = publication.room
        if let refusal = memory.isFull ? .full : marks.refusal(of: publication) {
            counters.published(.failure(refusal))
            failures.note(refusal)
            return reply(.failure(refusal))
        }
        memory.note(publication.payload.count)
        let limits = rules.log(of: room)
        let partition = Partition(of: room)
        var keys = [store.keys.state(partition), store.keys.head(room), store.keys.log(room)]
        var flags = ""
        if let mark = publication.dedupe {
            flags += "d"
            keys.append(store.keys.dedupe(room, mark))
        }
        var channel = store.keys.channel(room)
        if let user = room.inboxOwner {
            flags += "i"
            keys += [store.keys.connections(of: user), store.keys.online(partition)]
            channel = store.keys.node("", in: partition)
        }
        if ledgerSize > 0, rules.tellsMessages(of: room) {
            flags += "e"
            keys += [store.keys.events(partition), store.keys.bytes(partition)]
        }
        if rules.isStreamed(room) {
            flags += "m"
            keys += [store.keys.messages(partition), store.keys.bytes(partition)]
        }
        var (store, link) = (store, link)
        if let replicated, rules.durability(of: room) == .replicated {
            flags += "r"
            (store, link) = (replicated, replicatedLink)
        }
        let dedupeLife = publication.dedupe?.life ?? .zero
        let arguments: [RedisArgument] = [
            .runID, .string(names.epoch()), .attempt, .string(names.operation(on: link)),
            .integer(Int64(limits.size)),
            .integer(limits.age.milliseconds), .integer(limits.headLife.milliseconds), "PUBLISH",
            .string(channel.name), .bytes(MessageBody.encode(publication)),
            .integer(dedupeLife.milliseconds),
            .connection, .string(flags), .string(room.owner), .integer(Int64(ledgerSize)),
            .integer(Int64(rules.streamSize)), .integer(Int64(limits.bytes)), .integer(Int64(ledgerBytes)),
            .integer(Int64(rules.streamBytes)),
        ]
        store.call(Scripts.publish, keys: keys, channel: channel, arguments: arguments, stalled: .fail) {
            [counters, failures] result in
            let answer = result.backend { reply -> Published? in
                guard let epoch = reply[0].string, let seq = reply[1].integer,
                    let timestamp = reply[2].integer
                else { return nil }
                let reach = reply[4].integer.map {
                    Reach(isOnline: reply[3].integer == 1, connections: Int($0))
                }
                return Published(
                    position: Position(epoch: epoch, seq: Int(seq)), timestamp: timestamp, reach: reach)
            }
            counters.published(answer)
            if case .failure(let error) = answer { failures.note(error) }
            reply(answer)
        }
    }

    func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        var arguments: [RedisArgument] = [
            .runID, .string(names.epoch()), .integer(rules.log(of: room).age.milliseconds),
            .integer(Int64(range.limit)), .integer(Int64(range.maxBytes)),
        ]
        let isNewestFirst: Bool
        switch range.edge {
        case .newest:
            arguments += ["before"]
            isNewestFirst = true
        case .before(let seq):
            arguments += ["before", .integer(Int64(seq))]
            isNewestFirst = true
        case .after(let seq):
            arguments += ["after", .integer(Int64(seq))]
            isNewestFirst = false
        }
        let keys = [store.keys.state(Partition(of: room)), store.keys.head(room), store.keys.log(room)]
        store.call(Scripts.history, keys: keys, arguments: arguments) { result in
            reply(
                result.backend { reply -> HistoryPage? in
                    guard let epoch = reply[0].string, let seq = reply[1].integer, let more = reply[2].integer
                    else { return nil }
                    let messages = reply.messages(of: room, epoch: epoch, from: 3)
                    return HistoryPage(
                        room: room, head: Position(epoch: epoch, seq: Int(seq)),
                        messages: isNewestFirst ? messages.reversed() : messages, more: more == 1)
                })
        }
    }

    func claim(
        key: String, digest: String, id: String,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        let command: [RedisArgument] = [
            "SET", .string(store.keys.idempotency(key).name), .string("\(digest) \(id)"), "NX", "GET",
            "PX",
            .integer(DedupeMark(owner: .api, key: key).life.milliseconds),
        ]
        store.link.send(command, timeout: nil) { result in
            switch result {
            case .failure(let error):
                reply(.failure(BackendError(error)))
            case .success(let first) where first.isNull:
                reply(.success(id))
            case .success(let first):
                let fields = first.string?.split(separator: " ") ?? []
                reply(
                    fields.count == 2 && fields[0] == digest
                        ? .success(String(fields[1])) : .failure(.conflict))
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

extension Result where Success == RedisReply, Failure == RedisError {
    /// The answer as the backend's caller sees it; a reply of another shape than the script's contract is `unavailable`.
    func backend<Value>(_ read: (RedisReply) -> Value?) -> Result<Value, BackendError> {
        switch self {
        case .failure(let error): .failure(BackendError(error))
        case .success(let reply):
            read(reply).map { .success($0) }
                ?? .failure(.unavailable(reason: "a script's reply had another shape"))
        }
    }
}

extension RoomName {
    /// Whose inbox it is; nil for any other room.
    var inboxOwner: UserID? { isInbox ? UserID(unchecked: owner) : nil }
}
