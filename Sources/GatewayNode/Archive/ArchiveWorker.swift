import Archive
import ControlAPI
import Foundation
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import ServiceLifecycle
import Synchronization
import UnixSignals

/// `martlet archive`: takes messages of archived rooms from Redis's streams and writes them to a database.
package struct ArchiveWorker: Sendable {
    private let settings: Settings
    private let logger: Logger
    private let url: ArchiveURL
    private let configuration: Backend.Configuration

    /// Throws ``NodeFailure`` where the settings name no Redis or no database.
    package init(settings: Settings, logger: Logger) throws(NodeFailure) {
        self.settings = settings
        self.logger = logger
        guard settings.archive.url != nil else {
            throw NodeFailure(
                "archive.url is missing: it names the archive's database (MARTLET_ARCHIVE_URL)",
                status: NodeFailure.configuration)
        }
        guard let redisURL = settings.redisURL else {
            throw NodeFailure(
                "redis.url is missing: it names the Redis that the nodes share (MARTLET_REDIS_URL)",
                status: NodeFailure.configuration)
        }
        do {
            guard let url = try settings.archiveURL() else { preconditionFailure("archive.url was there") }
            self.url = url
            configuration = try settings.backendConfiguration(redisURL: redisURL)
        } catch {
            throw NodeFailure("\(error)", status: NodeFailure.configuration)
        }
    }

    /// Brings the database's tables to this release's version, once; answers which they were of before.
    package func migrate() async throws(NodeFailure) -> Int {
        do {
            return try await ArchiveStore(url).perform { database throws(ArchiveError) in try database.migrate() }
        } catch {
            throw NodeFailure("archive.url: \(error)", status: ArchiveWorker.status(of: error))
        }
    }

    /// Works until it is told to end.
    package func run() async throws {
        if !settings.rooms.keepArchive {
            logger.warning("No room's rule says archive: true: there will be nothing to archive")
        }
        let registry = MetricsRegistry()
        let metrics = ArchiveMetrics(backlog: settings.rooms.archiveBacklog, factory: registry)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let streams = ArchiveStreams(
            configuration: configuration, eventLoop: group.next(), logger: logger,
            onState: { [logger] problem in
                guard metrics.redis(problem), let problem else { return }
                logger.warning("The archive waits for Redis", metadata: ["reason": "\(problem)"])
            })
        let port = try await open(group, metrics, registry)
        let ending = Mutex(false)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let waiting = Task {
            for await _ in signals {
                let isSecond = ending.withLock { ending in
                    defer { ending = true }
                    return ending
                }
                if isSecond { exit(NodeFailure.unavailable) }
            }
        }
        streams.start()
        var failure: (any Error)?
        do {
            try await work(streams, metrics) { ending.withLock { $0 } }
        } catch {
            failure = error
        }
        waiting.cancel()
        await streams.shutdown()
        try await port.close()
        try await group.shutdownGracefully()
        if let failure { throw failure }
    }

    private func open(
        _ group: any EventLoopGroup, _ metrics: ArchiveMetrics, _ registry: MetricsRegistry
    ) async throws(NodeFailure) -> any Channel {
        let (host, port) = (settings.archive.host, settings.archive.port)
        let sources = ArchivePort.Sources(problem: { metrics.problem }, metrics: { registry.text() })
        do {
            let channel = try await ArchivePort.open(host: host, port: port, group: group, sources)
            logger.info(
                "archive port open", metadata: ["host": "\(host)", "port": "\(channel.localAddress?.port ?? port)"])
            return channel
        } catch {
            throw NodeFailure(
                "archive.port cannot be opened at \(host):\(port) (MARTLET_ARCHIVE_PORT moves it): \(error)",
                status: NodeFailure.unavailable)
        }
    }

    private func work(
        _ streams: ArchiveStreams, _ metrics: ArchiveMetrics, until isEnding: @escaping @Sendable () -> Bool
    ) async throws {
        try await prepare(streams, metrics, isEnding)
        let shares = ArchiveShares()
        await withTaskGroup(of: Void.self) { tasks in
            let lanes = settings.archive.connections
            for lane in 0..<lanes {
                var work = ArchiveLane(
                    lane, of: Partition.all.filter { $0.number % lanes == lane }.shuffled(), streams: streams,
                    store: ArchiveStore(url), shares: shares, metrics: metrics, logger: logger, isEnding: isEnding)
                tasks.addTask { await work.run() }
            }
            let outbox = ArchiveOutbox(
                store: ArchiveStore(url), streams: streams, shares: shares, metrics: metrics, logger: logger,
                isEnding: isEnding)
            tasks.addTask { await outbox.run() }
            tasks.addTask { await keep(streams, shares, metrics, isEnding) }
            tasks.addTask { await prune(metrics, isEnding) }
        }
        try? await streams.leave()  // It is believed for some seconds more then.
    }

    /// Waits for Redis and the database, and makes the tables; throws where an operator must act.
    private func prepare(
        _ streams: ArchiveStreams, _ metrics: ArchiveMetrics, _ isEnding: @Sendable () -> Bool
    ) async throws {
        let store = ArchiveStore(url)
        defer { store.close() }
        while !isEnding() {
            do throws(ArchiveError) {
                let found = try await store.perform { database throws(ArchiveError) in try database.migrate() }
                logger.info("The archive's tables are there", metadata: ["former": "\(found)", "at": "\(url)"])
                metrics.database(nil, of: nil)
                break
            } catch {
                if error.needsOperator {
                    throw NodeFailure("archive.url: \(error)", status: ArchiveWorker.status(of: error))
                }
                if metrics.database("\(error)", of: nil) {
                    logger.warning("The archive waits for its database", metadata: ["reason": "\(error)"])
                }
                try await Task.sleep(for: .seconds(1))
            }
        }
        while !isEnding() {
            do throws(CallError) {
                if let layout = try await streams.foreignLayout() {
                    throw .unreadable(
                        call: "nodes divide rooms as \"\(layout)\", another release's way: the deployment")
                }
                return
            } catch {
                if case .unreadable = error {
                    throw NodeFailure("redis.url: \(error)", status: NodeFailure.configuration)
                }
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Twice a second: says that this worker is at work, prolongs the leases that lanes do not, which wait for the database,
    /// tells how far it is.
    private func keep(
        _ streams: ArchiveStreams, _ shares: ArchiveShares, _ metrics: ArchiveMetrics, _ isEnding: @Sendable () -> Bool
    ) async {
        var warned: ContinuousClock.Instant?
        while !isEnding() {
            do throws(CallError) {
                // Whoever cannot write leaves the partitions to others.
                if metrics.problem == nil { shares.allow(try await streams.share()) }
                for (partition, token) in shares.idle(for: ArchiveStreams.lease / 2) {
                    _ = try await streams.keep(partition, token: token)
                }
            } catch {
                logger.debug("Redis did not answer a worker", metadata: ["reason": "\(error)"])
            }
            let ratio = metrics.tell(now: Int64(Date().timeIntervalSince1970 * 1000))
            if ratio > 0.5, warned.map({ ContinuousClock.now - $0 > .seconds(60) }) ?? true {
                warned = .now
                logger.warning(
                    "The archive falls behind: beyond archive.backlog messages are lost for it",
                    metadata: ["full": "\(Int(ratio * 100)) %"])
            }
            try? await Task.sleep(for: .milliseconds(500))  // It ends early where the task is cancelled.
        }
    }

    /// Once an hour lets go of what is older than `archive.keep`.
    private func prune(_ metrics: ArchiveMetrics, _ isEnding: @Sendable () -> Bool) async {
        guard settings.archive.keep > .zero else { return }
        let store = ArchiveStore(url)
        defer { store.close() }
        let keep = settings.archive.keep.milliseconds
        var next = ContinuousClock.now + .seconds(10)
        while !isEnding() {
            try? await Task.sleep(for: .milliseconds(500))  // It ends early where the task is cancelled.
            guard ContinuousClock.now >= next else { continue }
            let limit = Int64(Date().timeIntervalSince1970 * 1000) - keep
            do throws(ArchiveError) {
                let (count, hasMore) = try await store.perform { database throws(ArchiveError) in
                    try database.prune(before: limit)
                }
                metrics.pruned(count)
                next = .now + (hasMore ? .milliseconds(100) : .seconds(3600))
            } catch {
                logger.warning("Old messages stay in the archive", metadata: ["reason": "\(error)"])
                next = .now + .seconds(60)
            }
        }
    }

    private static func status(of error: ArchiveError) -> Int32 {
        error.needsOperator ? NodeFailure.configuration : NodeFailure.unavailable
    }
}
