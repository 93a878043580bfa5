import Archive
import GatewayCore
import Logging
import Metrics
import Synchronization

/// Reads the archive for a node's history: a few connections, each on a thread of its own, with a bound on what waits for
/// them and on how long anybody does.
final class ArchiveReader: ArchiveReading {
    private struct State {
        /// By connection: queries that wait or are under way.
        var waiting: [Int]
        /// Until when the database is not asked again after it was away.
        var restsUntil: ContinuousClock.Instant?
        var isAway = false
    }

    private static let connections = 2
    private static let mostWaiting = 50
    private static let rest = Duration.seconds(2)
    /// How long a query may take in the database.
    private static let patience = 5

    private let stores: [ArchiveStore]
    private let state: Mutex<State>
    private let logger: Logger
    private let answered: Counter
    private let refused: Counter
    private let time: Timer

    init(_ url: ArchiveURL, metrics: any MetricsFactory, logger: Logger) {
        var url = url
        url.patience = ArchiveReader.patience
        stores = (0..<ArchiveReader.connections).map { [url] _ in ArchiveStore(url) }
        state = Mutex(State(waiting: Array(repeating: 0, count: ArchiveReader.connections)))
        self.logger = logger
        answered = Counter(
            label: "martlet_archive_reads_total", dimensions: [("result", "answered")], factory: metrics)
        refused = Counter(
            label: "martlet_archive_reads_total", dimensions: [("result", "unavailable")], factory: metrics)
        time = Timer(label: "martlet_archive_read_seconds", dimensions: [], factory: metrics)
    }

    func read(_ query: ArchiveQuery, reply: @escaping @Sendable (ArchiveAnswer?) -> Void) {
        let began = ContinuousClock.now
        guard let index = admit(now: began) else {
            refused.increment()
            return reply(nil)
        }
        stores[index].perform(
            { database throws(ArchiveError) in try database.answer(query) },
            unless: { [self] in isStale(since: began) }
        ) { [self] result in
            ended(index, result)
            time.recordNanoseconds(Int64(began.duration(to: .now) / .nanoseconds(1)))
            switch result {
            case .success(let answer):
                answered.increment()
                reply(answer)
            case .failure:
                refused.increment()
                reply(nil)
            }
        }
    }

    /// The connection with the shortest queue; nil where too much waits, or the database was away a moment ago.
    private func admit(now: ContinuousClock.Instant) -> Int? {
        state.withLock { state in
            if let until = state.restsUntil, now < until { return nil }
            let index = state.waiting.indices.min { state.waiting[$0] < state.waiting[$1] } ?? 0
            guard state.waiting[index] < ArchiveReader.mostWaiting else { return nil }
            state.waiting[index] += 1
            return index
        }
    }

    /// Whether a query that waits since then is not to be made any more: it would wait for a database that was away a moment
    /// ago, as those before it did.
    private func isStale(since began: ContinuousClock.Instant) -> Bool {
        let now = ContinuousClock.now
        return now - began > .seconds(ArchiveReader.patience)
            || state.withLock { $0.restsUntil.map { now < $0 } ?? false }
    }

    private func ended(_ index: Int, _ result: Result<ArchiveAnswer, ArchiveError>) {
        let failure: ArchiveError? = if case .failure(let error) = result { error } else { nil }
        let isNews = state.withLock { state in
            state.waiting[index] -= 1
            state.restsUntil = failure == nil ? nil : .now + ArchiveReader.rest
            defer { state.isAway = failure != nil }
            return state.isAway != (failure != nil)
        }
        guard isNews else { return }
        if let failure {
            logger.warning("History ends with Redis's: the archive cannot be read", metadata: ["reason": "\(failure)"])
        } else {
            logger.notice("History reaches into the archive again")
        }
    }
}
