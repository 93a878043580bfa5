import GatewayCore
import RedisClient

/// Leases a partition to a worker of the archive and gives it the next messages.
package struct TakeForArchive: Script {
    package enum Answer: Sendable {
        /// Another worker has it.
        case held
        case taken(Taken)
    }

    package struct Taken: Sendable {
        /// By which the partition is the worker's; rises with each change of hands.
        package let token: Int64
        /// Redis's clock in milliseconds.
        package let now: Int64
        /// How many messages are not in the archive yet, these among them.
        package let left: Int
        /// Whether these were given to somebody before.
        package let isRepeat: Bool
        /// Payloads that the archive has to take away.
        package let redactions: [ArchiveRedaction]
        package let entries: [Entry]
    }

    package struct Entry: Sendable {
        /// Within the stream.
        package let id: String
        /// Nil where it tells of something else.
        package let message: ArchivedMessage?
    }

    package let partition: Partition
    let worker: String
    let life: Duration
    let floor: Int64
    let limit: Int
    let isRepeat: Bool

    package static let group = "archive"

    /// - Parameters:
    ///   - floor: what the token must be above.
    ///   - isRepeat: whether what was given before and not settled comes first.
    package init(_ partition: Partition, by worker: String, life: Duration, floor: Int64, limit: Int, isRepeat: Bool) {
        self.partition = partition
        self.worker = worker
        self.life = life
        self.floor = floor
        self.limit = limit
        self.isRepeat = isRepeat
    }

    package var file: RedisScript { Scripts.archiveTake }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.archiveLease(partition), keys.messages(partition), keys.redactions(partition)],
            arguments: [
                .string(worker), .milliseconds(life), .integer(floor), .string(TakeForArchive.group), .count(limit),
                isRepeat ? 1 : 0, .attempt,
            ])
    }

    package func read(_ reply: RedisReply) -> Answer? {
        if reply[0].string == "" { return .held }
        guard let token = reply[0].integer, let now = reply[1].integer, let left = reply[2].integer,
            let isRepeat = reply[3].integer
        else { return nil }
        let entries = stride(from: 5, to: max(5, reply.count - 1), by: 2).compactMap { index in
            reply[index].string.map { Entry(id: $0, message: TakeForArchive.message(reply[index + 1])) }
        }
        let redactions = reply[4].pairs.compactMap { field, value in
            field.string.flatMap { ArchiveRedaction(field: $0, value: value.string ?? "") }
        }
        return .taken(
            Taken(
                token: token, now: now, left: Int(left), isRepeat: isRepeat == 1, redactions: redactions,
                entries: entries))
    }

    /// Fields are known by their names: a later release may write more of them. A message that was redacted before it was
    /// given comes again behind all others, without its payload; where only that is known of it, the archive has the rest.
    private static func message(_ fields: RedisReply) -> ArchivedMessage? {
        var (room, epoch, seq, user): (String?, String?, Int64?, String?)
        var (type, payload, timestamp, event): (Int64?, [UInt8]?, Int64?, String?)
        var isRedacted = false
        for (name, value) in fields.pairs {
            switch name.string {
            case "roomId": room = value.string
            case "epoch": epoch = value.string
            case "seq": seq = value.integer
            case "userId": user = value.string
            case "msgType": type = value.integer
            case "payload": payload = value.bytes
            case "timestamp": timestamp = value.integer
            case "event": event = value.string
            case "redacted": isRedacted = true
            default: break
            }
        }
        guard let room, let epoch, let seq, let user, let type, let timestamp, !isRedacted || !user.isEmpty else {
            return nil
        }
        return ArchivedMessage(
            room: room, epoch: epoch, seq: Int(seq), userId: user, event: event, msgType: Int(type),
            payload: isRedacted ? nil : payload, sentAt: timestamp)
    }
}

extension ArchiveRedaction {
    /// As `redact` notes it.
    init?(field: String, value: String) {
        let place = field.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard place.count == 3, let seq = Int(place[1]) else { return nil }
        let known = value.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        var message: ArchivedMessage?
        if known.count == 3, let type = Int(known[0]), let sentAt = Int64(known[1]) {
            message = ArchivedMessage(
                room: String(place[2]), epoch: String(place[0]), seq: seq, userId: String(known[2]), msgType: type,
                payload: nil, sentAt: sentAt)
        }
        self.init(room: String(place[2]), epoch: String(place[0]), seq: seq, message: message)
    }

    fileprivate var field: String { "\(epoch) \(seq) \(room)" }
}

/// Takes note that messages are in the archive; answers how many of the partition's are not.
package struct SettleArchived: Script {
    let partition: Partition
    let ids: [String]
    let redactions: [ArchiveRedaction]
    /// How many messages the stream keeps for other consumers.
    let kept: Int

    package init(_ ids: [String], _ redactions: [ArchiveRedaction], of partition: Partition, kept: Int) {
        self.ids = ids
        self.redactions = redactions
        self.partition = partition
        self.kept = kept
    }

    package var file: RedisScript { Scripts.archiveSettle }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.messages(partition), keys.redactions(partition)],
            arguments: [.string(TakeForArchive.group), .count(kept), .count(redactions.count)]
                + redactions.map { .string($0.field) } + ids.map { .string($0) })
    }

    package func read(_ reply: RedisReply) -> Int? { reply.integer.map { Int($0) } }
}

/// Prolongs a lease, or ends it; answers whether it was the worker's.
package struct KeepForArchive: Script {
    let partition: Partition
    let worker: String
    let token: Int64
    /// Nil ends it.
    let life: Duration?

    package init(_ partition: Partition, by worker: String, token: Int64, life: Duration?) {
        self.partition = partition
        self.worker = worker
        self.token = token
        self.life = life
    }

    package var file: RedisScript { Scripts.archiveKeep }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.archiveLease(partition)],
            arguments: [.string(worker), .integer(token), .milliseconds(life ?? .zero)])
    }

    package func read(_ reply: RedisReply) -> Bool? { reply.integer.map { $0 == 1 } }
}

/// Tells a worker that cannot take a partition how much of it waits.
package struct LookForArchive: Script {
    package enum Answer: Hashable, Sendable {
        /// Another worker has it.
        case held
        /// So many messages are not in the archive, the oldest written so many milliseconds after 1970, where one is.
        case waiting(Int, oldest: Int64?)
    }

    let partition: Partition
    let worker: String

    package init(_ partition: Partition, by worker: String) {
        self.partition = partition
        self.worker = worker
    }

    package var file: RedisScript { Scripts.archiveWaiting }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.archiveLease(partition), keys.messages(partition)],
            arguments: [.string(worker), .string(TakeForArchive.group)])
    }

    package func read(_ reply: RedisReply) -> Answer? {
        if reply[0].string == "" { return .held }
        guard let left = reply[0].integer, let oldest = reply[1].integer else { return nil }
        return .waiting(Int(left), oldest: oldest > 0 ? oldest : nil)
    }
}

/// Says that a worker is at work; answers how many there are.
package struct ShareArchive: Script {
    let worker: String
    /// Nil: it goes.
    let life: Duration?

    package init(as worker: String, life: Duration?) {
        self.worker = worker
        self.life = life
    }

    package var file: RedisScript { Scripts.archiveShare }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.archiveWorkers], arguments: [.string(worker), .milliseconds(life ?? .zero)])
    }

    package func read(_ reply: RedisReply) -> Int? { reply[0].integer.map { Int($0) } }
}
