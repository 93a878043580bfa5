import GatewayCore

/// The ledgers of all partitions as streams in Redis, each receiver's place in them a consumer group.
struct RedisEventLedger: EventLedger {
    let store: Store
    let assigned: LedgerAssignments
    let names: NameSource
    let settings: WebhookLedgerSettings

    func assignments() -> [LedgerAssignment] { assigned.all }

    func gather(_ assignment: LedgerAssignment, for receiver: WebhookReceiver) async throws(LedgerError) -> LedgerBatch?
    {
        switch try await call(Gather(assignment, for: receiver.name, candidate: names.link())) {
        case .nothing: return nil
        case .gathered(let gathered): return LedgerBatch(gathered, partition: assignment.partition, for: receiver)
        case .refused: throw .refused
        }
    }

    func settle(
        _ batch: LedgerBatch, of assignment: LedgerAssignment, for receiver: WebhookReceiver, as outcome: LedgerOutcome
    ) async throws(LedgerError) {
        let wanted = batch.events.map(\.entry).filter { !$0.isEmpty }
        let entries = Settle.Entries(
            wanted: wanted, others: batch.entries.filter { !wanted.contains($0) }, last: batch.entries.last ?? "-")
        let what: Settle.What =
            switch (batch.kind, outcome) {
            case (.news, .sent): .sent(entries)
            case (.news, .givenUp(let reason)): .givenUp(entries, reason: reason)
            case (.loss, _): .lossTold(receipt: batch.receipt)
            case (.replay, .sent): .replayed(entries, receipt: batch.receipt)
            case (.replay, .givenUp): .replayEnded(receipt: batch.receipt)
            }
        try await settle(what, of: assignment, for: receiver)
    }

    func record(_ problem: String, of assignment: LedgerAssignment, for receiver: WebhookReceiver)
        async throws(LedgerError)
    {
        try await settle(.failed(problem: problem), of: assignment, for: receiver)
    }

    func trim(_ assignment: LedgerAssignment, receivers: [WebhookReceiver]) async throws(LedgerError) {
        let trim = Trim(
            assignment, receivers: receivers.map(\.name), kept: settings.kept, forgottenAfter: settings.forgottenAfter)
        guard case .trimmed(let forgotten) = try await call(trim) else { throw .refused }
        for name in forgotten {
            do {
                let key = store.keys.deadLetters(of: name, Partition(number: assignment.partition))
                _ = try await store.send(.forget(key))
            } catch {
                throw .unavailable(reason: "\(error)")
            }
        }
    }

    private func settle(
        _ what: Settle.What, of assignment: LedgerAssignment, for receiver: WebhookReceiver
    ) async throws(LedgerError) {
        let kept = Publish.Bound(entries: settings.deadLetters, bytes: settings.bytes)
        let settle = Settle(what, of: assignment, for: receiver.name, deadLetters: kept)
        guard try await call(settle) == .settled else { throw .refused }
    }

    private func call<Called: Script>(_ script: Called) async throws(LedgerError) -> Called.Answer {
        do {
            return try await store.call(script)
        } catch {
            throw .unavailable(reason: "\(error)")
        }
    }
}

/// The bounds on what the ledger keeps beside what is on its way.
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
    /// The ledgers on this store, with all partitions in nobody's care: whoever calls brings the assignment.
    package func eventLedger(_ settings: WebhookLedgerSettings) -> any EventLedger {
        RedisEventLedger(store: self, assigned: LedgerAssignments(), names: NameSource(), settings: settings)
    }

    package func webhookDirectory(_ receivers: [WebhookReceiver]) -> any WebhookDirectory {
        RedisWebhookDirectory(store: self, receivers: Current(receivers))
    }
}
