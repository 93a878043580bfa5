import Archive
import GatewayCore
import Logging
import RedisBackend
import RedisClient

/// One of a worker's lanes: some of the partitions, one after the other, over one connection to the database.
///
/// A batch is acknowledged behind its commit only. Whatever fails before, or is not heard of, is given again: the archive's
/// keys make a repeat change nothing. All is touched in the lane's own task.
struct ArchiveLane {
    /// The lane's knowledge of one partition.
    private struct Standing {
        let partition: Partition
        /// Nil where it is not this worker's.
        var token: Int64?
        /// Whether the database knows that token.
        var isFenced = false
        /// What the next token must be above.
        var floor: Int64 = 0
        /// Whether there may be messages that were given and not settled.
        var isRepeat = true
        var ends: [String: [String: ArchiveDatabase.End]] = [:]
        var averageBytes = 16 << 10
        var rhythm = ArchiveRhythm(now: .now)
    }

    private static let firstPause = Duration.milliseconds(200)
    private static let mostPause = Duration.seconds(2)
    private static let mostMessages = 1000
    private static let mostBytes = 8 << 20
    /// Rooms whose ends are kept in mind.
    private static let mostRooms = 5000

    private let number: Int
    private let streams: ArchiveStreams
    private let store: ArchiveStore
    private let shares: ArchiveShares
    private let metrics: ArchiveMetrics
    private let logger: Logger
    private let isEnding: @Sendable () -> Bool
    private var standings: [Standing]
    /// The partition by which the database failed last; until that one is written, answering is not enough: a disk that is full
    /// lets itself be asked.
    private var suspect: Int?
    private var databasePause = ArchiveLane.firstPause

    init(
        _ number: Int, of partitions: [Partition], streams: ArchiveStreams, store: ArchiveStore, shares: ArchiveShares,
        metrics: ArchiveMetrics, logger: Logger, isEnding: @escaping @Sendable () -> Bool
    ) {
        self.number = number
        standings = partitions.map { Standing(partition: $0) }
        self.streams = streams
        self.store = store
        self.shares = shares
        self.metrics = metrics
        self.logger = logger
        self.isEnding = isEnding
    }

    /// Returns when the worker is to end, with all partitions handed on.
    mutating func run() async {
        while !isEnding() {
            for index in standings.indices where !isEnding() && standings[index].rhythm.next <= .now {
                do {
                    let found = try await step(index)
                    if suspect == index { databaseServes() }
                    standings[index].rhythm.looked(found, now: .now)
                    continue
                } catch let error as ArchiveError {
                    await failed(index, error)
                } catch {
                    standings[index].isRepeat = true
                    standings[index].ends = [:]
                    metrics.retried(error, ofDatabase: false)
                    logger.debug("Redis did not answer a worker", metadata: ["reason": "\(error)"])
                    await pause(ArchiveRhythm.pause)
                }
                standings[index].rhythm.failed(now: .now)
            }
            let next = standings.map(\.rhythm.next).min() ?? .now + ArchiveRhythm.pause
            await pause(min(next - .now, ArchiveRhythm.pause))
        }
        await releaseAll()
        store.close()
    }

    /// Takes what a partition has and writes it; answers how much there was.
    private mutating func step(_ index: Int) async throws -> ArchiveRhythm.Found {
        let standing = standings[index]
        let partition = standing.partition
        if standing.token == nil, !shares.hasRoom {
            metrics.gone(partition.number)
            return .othersTurn
        }
        if standing.token != nil, shares.hasTooMany {
            try await release(index)
            return .nothing
        }
        let limit = max(1, min(ArchiveLane.mostMessages, ArchiveLane.mostBytes / standing.averageBytes))
        let answer = try await streams.take(
            partition, above: standing.floor, limit: limit, isRepeat: standing.isRepeat)
        guard case .taken(let taken) = answer else {
            lose(index)
            metrics.gone(partition.number)
            return .othersTurn
        }
        if taken.token != standing.token {
            standings[index].token = taken.token
            standings[index].isFenced = false
            standings[index].ends = [:]
        }
        shares.take(partition, token: taken.token)
        let oldest = taken.entries.lazy.compactMap { $0.message?.sentAt }.first
        metrics.left(taken.left, of: partition.number, oldest: oldest)
        standings[index].isRepeat = !taken.entries.isEmpty
        guard !taken.entries.isEmpty || !taken.redactions.isEmpty else { return .nothing }
        try await write(taken, index)
        let left = try await streams.settle(taken.entries.map(\.id), taken.redactions, of: partition)
        standings[index].isRepeat = taken.isRepeat
        metrics.left(left, of: partition.number, oldest: nil)
        return taken.entries.count >= limit || taken.isRepeat || !taken.redactions.isEmpty ? .full : .some
    }

    private mutating func write(_ taken: TakeForArchive.Taken, _ index: Int) async throws {
        let number = standings[index].partition.number
        if !standings[index].isFenced {
            try await store.perform { database throws(ArchiveError) in try database.fence(number, token: taken.token) }
            standings[index].isFenced = true
        }
        if standings[index].ends.count > ArchiveLane.mostRooms { standings[index].ends = [:] }
        let messages = taken.entries.compactMap(\.message)
        let rooms = Set(messages.map(\.room) + taken.redactions.map(\.room)).filter { standings[index].ends[$0] == nil }
        if !rooms.isEmpty {
            let asked = rooms.sorted()
            let found = try await store.perform { database throws(ArchiveError) in try database.ends(of: asked) }
            for room in asked { standings[index].ends[room] = found[room] ?? [:] }
        }
        var plan = ArchivePlan(
            partition: number, token: taken.token, ends: standings[index].ends, redactions: taken.redactions,
            streams: streams, now: taken.now)
        for message in messages { try await plan.add(message) }
        let batch = plan.batch
        let started = ContinuousClock.now
        try await store.perform { database throws(ArchiveError) in try database.write(batch) }
        let lost = batch.gaps.reduce(0) { $0 + $1.count }
        metrics.wrote(
            rows: batch.messages.count, filled: plan.filled, gaps: batch.gaps.count, lost: lost,
            redacted: batch.redactions.count,
            in: started.duration(to: .now))
        for gap in batch.gaps {
            logger.error(
                "Messages are lost for the archive: neither stream nor log has them",
                metadata: ["room": "\(gap.room)", "epoch": "\(gap.epoch)", "from": "\(gap.from)", "to": "\(gap.to)"])
        }
        standings[index].ends = plan.ends
        let bytes = batch.messages.reduce(0) { $0 + $1.bytes }
        standings[index].averageBytes = max(256, bytes / max(1, batch.messages.count))
        if suspect == nil { databaseServes() }
    }

    private mutating func databaseServes() {
        (suspect, databasePause) = (nil, ArchiveLane.firstPause)
        if metrics.database(nil, of: number) { logger.notice("The archive's database takes messages") }
    }

    /// Another worker may have the partition by now, or the database is away: then this one gives all back and waits.
    private mutating func failed(_ index: Int, _ error: ArchiveError) async {
        standings[index].isRepeat = true
        standings[index].ends = [:]
        if error == .fenced {
            let number = standings[index].partition.number
            // Without an answer the next token is below again, and refused again.
            let token = try? await store.perform { database throws(ArchiveError) in try database.token(of: number) }
            standings[index].floor = max(standings[index].floor, token ?? 0)
            return lose(index)
        }
        suspect = index
        tell(of: error)
        await releaseAll()
        while !isEnding() {
            await lookAtWaiting()
            await pause(databasePause)
            databasePause = min(databasePause * 2, ArchiveLane.mostPause)
            do throws(ArchiveError) {
                return try await store.perform { database throws(ArchiveError) in try database.check() }
            } catch {
                tell(of: error)
            }
        }
    }

    private func tell(of error: ArchiveError) {
        metrics.retried(error, ofDatabase: true)
        if metrics.database("\(error)", of: number) {
            logger.warning("The archive waits for its database", metadata: ["reason": "\(error)"])
        }
    }

    /// What nobody takes goes on waiting, and must not look as if it did not.
    private func lookAtWaiting() async {
        for standing in standings {
            let number = standing.partition.number
            // Without an answer what was known last goes on.
            switch try? await streams.waiting(standing.partition) {
            case .held: metrics.gone(number)
            case .waiting(let count, let oldest): metrics.left(count, of: number, oldest: oldest, isOwn: false)
            case nil: return
            }
        }
    }

    private mutating func releaseAll() async {
        for index in standings.indices where standings[index].token != nil {
            do {
                try await release(index)
            } catch {
                // Its lease then ends by itself.
                lose(index)
            }
        }
    }

    private mutating func release(_ index: Int) async throws(CallError) {
        let standing = standings[index]
        lose(index)
        if let token = standing.token { try await streams.release(standing.partition, token: token) }
    }

    private mutating func lose(_ index: Int) {
        let partition = standings[index].partition
        guard standings[index].token != nil else { return }
        standings[index].token = nil
        standings[index].isFenced = false
        standings[index].isRepeat = true
        standings[index].ends = [:]
        shares.lose(partition)
        metrics.released(partition.number)
    }

    private func pause(_ time: Duration) async {
        // It ends early where the task is cancelled.
        try? await Task.sleep(for: time)
    }
}
