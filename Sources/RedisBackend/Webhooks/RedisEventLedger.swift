import GatewayCore
import RedisClient

/// The ledgers of all partitions as streams in Redis, each receiver's place in them a consumer group.
struct RedisEventLedger: EventLedger {
    /// Entries in one batch.
    static let batch = 100
    /// After so many bytes no more entries are added to a batch: one message of a room may bring 64 KiB or more.
    static let batchBytes = 256 * 1024
    /// How far back a receiver begins that is new: longer than a node takes from its start to its first look.
    static let beginning = Duration.seconds(120)

    let store: Store
    let posted: LedgerPosts
    let names: NameSource
    let settings: WebhookLedgerSettings

    func posts() -> [LedgerPost] { posted.all }

    func gather(_ post: LedgerPost, for receiver: WebhookReceiver) async throws(LedgerError) -> LedgerBatch? {
        let reply = try await call(
            Scripts.gather, keys: keys(post, receiver),
            arguments: [
                .string(post.mark), .string(receiver.name), .runID, .string(names.link()),
                .integer(Int64(RedisEventLedger.batch)), .integer(Int64(RedisEventLedger.batchBytes)),
                .integer(RedisEventLedger.beginning.milliseconds),
            ])
        if reply[0].string == "refused" { throw .refused }
        return LedgerReply.batch(reply, partition: post.partition, for: receiver)
    }

    func settle(
        _ batch: LedgerBatch, of post: LedgerPost, for receiver: WebhookReceiver, as outcome: LedgerOutcome
    ) async throws(LedgerError) {
        let (what, note): (RedisArgument, String) =
            switch (batch.kind, outcome) {
            case (.news, .sent): ("sent", "")
            case (.news, .givenUp(let reason)): ("dead", reason)
            case (.loss, _): ("loss", batch.token)
            case (.replay, .sent): ("replay", batch.token)
            case (.replay, .givenUp): ("quit", batch.token)
            }
        let wanted = batch.events.map(\.entry).filter { !$0.isEmpty }
        let others = batch.entries.filter { !wanted.contains($0) }
        try await settle(
            post, receiver,
            [what, .string(note)] + deadLetters
                + [.integer(Int64(wanted.count)), .string(batch.entries.last ?? "-")]
                + (wanted + others).map { .string($0) })
    }

    func note(_ problem: String, of post: LedgerPost, for receiver: WebhookReceiver) async throws(LedgerError) {
        try await settle(post, receiver, ["note", .string(problem)] + deadLetters + [0, "-"])
    }

    func trim(_ post: LedgerPost, receivers: [WebhookReceiver]) async throws(LedgerError) {
        let partition = Partition(number: post.partition)
        let reply = try await call(
            Scripts.trim,
            keys: [store.keys.coordinator(partition), store.keys.webhooks(partition), store.keys.events(partition)],
            arguments: [
                .string(post.mark), .integer(Int64(settings.kept)), .integer(settings.forgottenAfter.milliseconds),
            ] + receivers.map { .string($0.name) })
        if reply.string == "refused" { throw .refused }
        for name in (reply.array ?? []).compactMap(\.string) {
            do {
                let key = store.keys.deadLetters(of: name, partition)
                _ = try await store.link.send(["UNLINK", .string(key.name)])
            } catch {
                throw .unavailable(reason: "\(error)")
            }
        }
    }

    /// How many are kept, about, and their bytes.
    private var deadLetters: [RedisArgument] {
        [.integer(Int64(settings.deadLetters)), .integer(Int64(settings.bytes))]
    }

    private func settle(
        _ post: LedgerPost, _ receiver: WebhookReceiver, _ rest: [RedisArgument]
    ) async throws(LedgerError) {
        let reply = try await call(
            Scripts.settle, keys: keys(post, receiver),
            arguments: [.string(post.mark), .string(receiver.name)] + rest)
        if reply.string == "refused" { throw .refused }
    }

    private func keys(_ post: LedgerPost, _ receiver: WebhookReceiver) -> [Key] {
        let partition = Partition(number: post.partition)
        return [
            store.keys.coordinator(partition), store.keys.webhooks(partition), store.keys.events(partition),
            store.keys.deadLetters(of: receiver.name, partition),
        ]
    }

    private func call(
        _ script: RedisScript, keys: [Key], arguments: [RedisArgument]
    ) async throws(LedgerError) -> RedisReply {
        do {
            return try await store.call(script, keys: keys, arguments: arguments)
        } catch {
            throw .unavailable(reason: "\(error)")
        }
    }
}

/// How much the ledger keeps beside what is on its way.
package struct WebhookLedgerSettings: Sendable {
    /// Settled entries of each partition, about, kept for being sent again.
    package var kept = 10_000
    /// Entries of each partition, about, kept for a receiver that does not take them; beyond it the oldest are lost.
    package var backlog = 100_000
    /// Bytes that each partition's ledger, and each of its lists of dead letters, keeps at most, whatever the counts say.
    package var bytes = 8 << 20
    /// Dead letters of each partition and receiver, about.
    package var deadLetters = 10_000
    /// After how long the place of a receiver goes that no coordinator knows any more.
    package var forgottenAfter = Duration.seconds(86_400)

    package init() {}
}

extension Store {
    /// The ledgers on this store, with all partitions in nobody's care: whoever calls brings the post.
    package func eventLedger(_ settings: WebhookLedgerSettings) -> any EventLedger {
        RedisEventLedger(store: self, posted: LedgerPosts(), names: NameSource(), settings: settings)
    }

    package func webhookDirectory(_ receivers: [WebhookReceiver]) -> any WebhookDirectory {
        RedisWebhookDirectory(store: self, receivers: receivers)
    }
}
