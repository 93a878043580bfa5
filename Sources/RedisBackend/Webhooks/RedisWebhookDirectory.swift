import GatewayCore

/// A directory of the configured receivers and how they fare, added up over all partitions in one pipeline each.
struct RedisWebhookDirectory: WebhookDirectory {
    let store: Store
    let receivers: Current<[WebhookReceiver]>

    func webhooks() async throws(BackendError) -> [WebhookStatus] {
        var all: [WebhookStatus] = []
        for receiver in receivers.now { all.append(try await status(of: receiver)) }
        return all
    }

    func replay(_ order: ReplayOrder) async throws(BackendError) -> Int {
        let chosen = receivers.now.filter { order.url == nil || [$0.url, $0.shownURL].contains(order.url) }
        for receiver in chosen {
            _ = try await answers { partition in
                Replay(
                    partition, for: receiver.name, from: order.start.entry(in: partition), types: order.types)
            }
        }
        return chosen.count
    }

    private func status(of receiver: WebhookReceiver) async throws(BackendError) -> WebhookStatus {
        var status = WebhookStatus(receiver: receiver)
        for backlog in try await answers({ ReadBacklog(of: receiver.name, in: $0) }) {
            status.lag += backlog.lag
            if let oldest = backlog.oldest { status.oldest = min(status.oldest ?? .max, oldest.milliseconds) }
            status.deadLetters += backlog.deadLetters
            status.givenUp += backlog.givenUp
            status.lost += backlog.lost
            if backlog.isReplaying { status.replaying += 1 }
            if let sent = backlog.lastSent { status.lastSent = max(status.lastSent ?? 0, sent) }
            if let failure = backlog.lastFailure, failure.timestamp > status.lastError?.timestamp ?? 0 {
                status.lastError = WebhookStatus.Problem(timestamp: failure.timestamp, message: failure.problem)
            }
        }
        return status
    }

    /// Asks every partition at once and waits for all answers.
    private func answers<Called: Script>(
        _ question: (Partition) -> Called
    ) async throws(BackendError) -> [Called.Answer] {
        do {
            return try await Partition.all.map { store.ask(question($0)) }.answers()
        } catch {
            throw .unavailable(reason: "\(error)")
        }
    }
}

extension ReplayOrder.Start {
    /// The first entry to be sent again in a partition; an event's id is `partition-milliseconds-number-birth`.
    func entry(in partition: Partition) -> String {
        switch self {
        case .time(let time):
            return "\(time)-0"
        case .event(let id):
            let fields = id.split(separator: "-")
            guard fields.count == 4 else { return "0-0" }
            return fields[0] == "\(partition.number)" ? "\(fields[1])-\(fields[2])" : "\(fields[1])-0"
        }
    }
}
