import GatewayCore
import RedisClient

/// How the configured receivers fare, added up over all partitions in one pipeline each.
struct RedisWebhookDirectory: WebhookDirectory {
    let store: Store
    let receivers: [WebhookReceiver]

    func webhooks() async throws(BackendError) -> [WebhookStatus] {
        var all: [WebhookStatus] = []
        for receiver in receivers { all.append(try await status(of: receiver)) }
        return all
    }

    func replay(_ order: ReplayOrder) async throws(BackendError) -> Int {
        let chosen = receivers.filter { order.url == nil || [$0.url, $0.shownURL].contains(order.url) }
        let types = order.types.map { $0.sorted().joined(separator: ",") } ?? "*"
        for receiver in chosen {
            _ = try await ask { partition in
                (
                    Scripts.replay, [store.keys.webhooks(partition), store.keys.events(partition)],
                    [.string(receiver.name), .string(order.start.entry(in: partition)), .string(types)]
                )
            }
        }
        return chosen.count
    }

    private func status(of receiver: WebhookReceiver) async throws(BackendError) -> WebhookStatus {
        let replies = try await ask { partition in
            (
                Scripts.backlog,
                [
                    store.keys.webhooks(partition), store.keys.events(partition),
                    store.keys.deadLetters(of: receiver.name, partition),
                ], [.string(receiver.name)]
            )
        }
        var status = WebhookStatus(receiver: receiver)
        for reply in replies {
            func count(_ index: Int) -> Int { Int(reply[index].integer ?? 0) }
            status.lag += count(0)
            if let oldest = LedgerEntryID(reply[1].string ?? "") {
                status.oldest = min(status.oldest ?? .max, oldest.milliseconds)
            }
            status.deadLetters += count(2)
            status.givenUp += count(3)
            status.lost += count(4)
            status.replaying += count(5)
            if let sent = reply[6].integer, sent > 0 { status.lastSent = max(status.lastSent ?? 0, sent) }
            let error = (reply[7].string ?? "").split(separator: " ", maxSplits: 1)
            if error.count == 2, let time = Int64(error[0]), time > status.lastError?.timestamp ?? 0 {
                status.lastError = WebhookStatus.Problem(timestamp: time, message: String(error[1]))
            }
        }
        return status
    }

    /// Asks every partition at once and waits for all answers.
    private func ask(
        _ question: (Partition) -> (RedisScript, [Key], [RedisArgument])
    ) async throws(BackendError) -> [RedisReply] {
        let replies = Partition.all.map { partition in
            let promise = store.link.eventLoop.makePromise(of: RedisReply.self)
            let (script, keys, arguments) = question(partition)
            store.call(script, keys: keys, arguments: arguments) {
                promise.completeWith($0.mapError { $0 as any Error })
            }
            return promise.futureResult
        }
        var answers: [RedisReply] = []
        var failure: BackendError?
        for reply in replies {
            do {
                answers.append(try await reply.get())
            } catch {
                failure = failure ?? .unavailable(reason: "\(error)")
            }
        }
        if let failure { throw failure }
        return answers
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
