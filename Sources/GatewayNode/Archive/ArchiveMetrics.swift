import GatewayCore
import Metrics
import SocketServer
import Synchronization

/// What a worker of the archive counts, and whether it can work.
final class ArchiveMetrics: Sendable {
    private struct State {
        var redis: String? = "Redis is not reached yet"
        /// By lane; where none of them has tried yet, under none.
        var database: [Int?: String] = [nil: "the database is not reached yet"]
        var trouble = Trouble()
        /// By partition: how many messages are not in the archive.
        var left: [Int: Int] = [:]
        /// By partition: when the oldest of them that is known was sent, in milliseconds.
        var oldest: [Int: Int64] = [:]
        /// The partitions that the worker has; the others of these wait for the database with it.
        var own: Set<Int> = []
    }

    private let state = Mutex(State())
    /// How many messages a partition may have waiting.
    private let backlog: Int
    private let rows: Counter
    private let batches: Counter
    private let filled: Counter
    private let gaps: Counter
    private let lost: Counter
    private let redacted: Counter
    private let pruned: Counter
    private let outboxSent: Counter
    private let outboxRefused: Counter
    private let redisRetries: Counter
    private let databaseRetries: Counter
    private let lag: Gauge
    private let lagSeconds: Gauge
    private let fill: Gauge
    private let partitions: Gauge
    private let writing: Timer

    init(backlog: Int, factory: any MetricsFactory) {
        func counter(_ name: String, _ labels: [(String, String)] = []) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        func gauge(_ name: String) -> Gauge { Gauge(label: name, dimensions: [], factory: factory) }
        self.backlog = backlog
        rows = counter("martlet_archive_rows_total")
        batches = counter("martlet_archive_batches_total")
        filled = counter("martlet_archive_filled_total")
        gaps = counter("martlet_archive_gaps_total")
        lost = counter("martlet_archive_lost_total")
        redacted = counter("martlet_archive_redacted_total")
        outboxSent = counter("martlet_archive_outbox_total", [("result", "sent")])
        outboxRefused = counter("martlet_archive_outbox_total", [("result", "refused")])
        pruned = counter("martlet_archive_pruned_total")
        redisRetries = counter("martlet_archive_retries_total", [("of", "redis")])
        databaseRetries = counter("martlet_archive_retries_total", [("of", "database")])
        lag = gauge("martlet_archive_lag_messages")
        lagSeconds = gauge("martlet_archive_lag_seconds")
        fill = gauge("martlet_archive_backlog_ratio")
        partitions = gauge("martlet_archive_partitions")
        writing = Timer(label: "martlet_archive_write_seconds", dimensions: [], factory: factory)
    }

    /// Nil where it works, else what is missing.
    var problem: String? { state.withLock { $0.redis ?? $0.database.first?.value } }

    /// Answers whether that is news.
    @discardableResult
    func redis(_ problem: String?) -> Bool {
        state.withLock { state in
            defer { state.redis = problem }
            return state.redis != problem
        }
    }

    /// What a lane has met, each with a connection of its own, or the worker before there are any. Answers whether the log is
    /// to say so.
    @discardableResult
    func database(_ problem: String?, of lane: Int?, now: MonotonicTime = Clocks.system.monotonic()) -> Bool {
        state.withLock { state in
            state.database[lane] = problem
            if let problem { return state.trouble.failed(problem, at: now) }
            return state.database.isEmpty && state.trouble.passed()
        }
    }

    func retried(_ error: any Error, ofDatabase: Bool) {
        (ofDatabase ? databaseRetries : redisRetries).increment()
    }

    func wrote(rows: Int, filled: Int, gaps: Int, lost: Int, redacted: Int, in time: Duration) {
        self.rows.increment(by: rows)
        batches.increment()
        self.filled.increment(by: filled)
        self.gaps.increment(by: gaps)
        self.lost.increment(by: lost)
        self.redacted.increment(by: redacted)
        writing.recordNanoseconds(Int64(time / .nanoseconds(1)))
    }

    func sent(_ count: Int, refused: Int) {
        outboxSent.increment(by: count)
        outboxRefused.increment(by: refused)
    }

    func pruned(_ count: Int) { pruned.increment(by: count) }

    /// A partition has so many messages that are not in the archive, the oldest of them that is known sent then.
    ///
    /// - Parameter isOwn: false where the worker cannot take it, since its database is away.
    func left(_ count: Int, of partition: Int, oldest: Int64?, isOwn: Bool = true) {
        state.withLock { state in
            state.left[partition] = count
            state.oldest[partition] = oldest
            if isOwn { state.own.insert(partition) } else { state.own.remove(partition) }
        }
    }

    /// Another worker tells of it.
    func gone(_ partition: Int) {
        state.withLock { state in
            state.left[partition] = nil
            state.oldest[partition] = nil
            state.own.remove(partition)
        }
    }

    /// It is given back, and nobody else has it for all that is known.
    func released(_ partition: Int) { state.withLock { _ = $0.own.remove(partition) } }

    /// Writes the gauges; answers how full the fullest stream is, of 1.
    func tell(now: Int64) -> Double {
        let (left, oldest, own) = state.withLock { ($0.left, $0.oldest, $0.own) }
        lag.record(left.values.reduce(0, +))
        lagSeconds.record(oldest.values.map { Double(max(0, now - $0)) / 1000 }.max() ?? 0)
        partitions.record(own.count)
        let ratio = Double(left.values.max() ?? 0) / Double(backlog)
        fill.record(ratio)
        return ratio
    }
}
