import Archive
import ControlAPI
import Foundation
import GatewayCore
import Logging
import RedisBackend
import RedisClient

/// Broadcasts the rows of the database's outbox, each once, in the order of their ids; the worker does so that has the first
/// partition.
///
/// A row is marked behind its broadcast, which goes out under the row's own key: whatever is sent again by then, by this
/// worker or another, is not stored again. A row is not begun before the one before it is sent, so that two workers that
/// both believe that it is their turn keep the order too.
struct ArchiveOutbox {
    private enum Outcome {
        case sent
        /// It never will be.
        case refused(String)
        case failed(CallError)
    }

    private static let most = 100
    /// How long a row stays that was sent: as long as its key is known.
    private static let keep: Int64 = 86_400_000

    let store: ArchiveStore
    let streams: ArchiveStreams
    let shares: ArchiveShares
    let metrics: ArchiveMetrics
    let logger: Logger
    let isEnding: @Sendable () -> Bool

    func run() async {
        var nextPruning = ContinuousClock.now + .seconds(10)
        while !isEnding() {
            guard shares.has(Partition(number: 0)) else {
                await pause(.milliseconds(200))
                continue
            }
            do throws(ArchiveError) {
                if ContinuousClock.now >= nextPruning {
                    let limit = Int64(Date().timeIntervalSince1970 * 1000) - ArchiveOutbox.keep
                    _ = try await store.perform { database throws(ArchiveError) in
                        try database.pruneOutbox(before: limit)
                    }
                    nextPruning = .now + .seconds(600)
                }
                let rows = try await store.perform { database throws(ArchiveError) in
                    try database.outbox(limit: ArchiveOutbox.most)
                }
                guard !rows.isEmpty else {
                    try await store.perform { database throws(ArchiveError) in
                        try database.waitForOutbox(milliseconds: 200)
                    }
                    continue
                }
                try await send(rows)
            } catch {
                // The lanes say that the database is away.
                logger.debug("The outbox cannot be read", metadata: ["reason": "\(error)"])
                await pause(.seconds(1))
            }
        }
        store.close()
    }

    private func send(_ rows: [OutboxRow]) async throws(ArchiveError) {
        var outcomes: [(id: Int64, error: String?)] = []
        var failure: CallError?
        sending: for row in rows where !isEnding() {
            switch await send(row) {
            case .sent: outcomes.append((row.id, nil))
            case .refused(let reason):
                outcomes.append((row.id, reason))
                logger.error(
                    "A row of the outbox cannot be sent", metadata: ["id": "\(row.id)", "reason": "\(reason)"])
            case .failed(let error):
                failure = error
                break sending
            }
        }
        if !outcomes.isEmpty {
            let settled = outcomes
            try await store.perform { database throws(ArchiveError) in try database.settleOutbox(settled) }
            metrics.sent(outcomes.count { $0.error == nil }, refused: outcomes.count { $0.error != nil })
        }
        guard let failure else { return }
        logger.debug("The outbox waits for Redis", metadata: ["reason": "\(failure)"])
        await pause(.milliseconds(500))
    }

    private func send(_ row: OutboxRow) async -> Outcome {
        let publications: [Publication]
        do throws(RequestError) {
            publications = try OutboxMessage.publications(
                target: row.target, payload: row.payload, event: row.event, msgType: row.msgType,
                userId: row.userId,
                mark: DedupeMark(owner: .outbox, key: "\(row.id)"))
        } catch {
            return .refused(error.message)
        }
        return await withTaskGroup(of: CallError?.self) { tasks in
            for publication in publications {
                tasks.addTask { [streams] in
                    do throws(CallError) {
                        _ = try await streams.publish(publication)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await error in tasks {
                if let error { return .failed(error) }
            }
            return .sent
        }
    }

    private func pause(_ time: Duration) async {
        // It ends early where the task is cancelled.
        try? await Task.sleep(for: time)
    }
}
