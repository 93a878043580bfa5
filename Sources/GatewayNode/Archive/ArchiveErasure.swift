import Archive
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient

/// Takes the payloads of a user's messages away, in Redis and in the archive.
///
/// What is done stays done: broken off, it is run again, and goes quickly over what it finds erased.
package struct ArchiveErasure: Sendable {
    /// What was erased so far.
    package struct Progress: Hashable, Sendable {
        /// Of Redis's logs.
        package var logs = Erased()
        /// Rooms of the archive that were gone through.
        package var rooms = 0
        /// Of the archive.
        package var rows = 0
        /// The archive's room that was gone through last.
        package var last: String?
    }

    /// Numbers of messages that one transaction goes through.
    private static let window = 10_000

    private let settings: Settings
    private let configuration: Backend.Configuration
    private let store: ArchiveStore
    private let logger: Logger

    /// Throws ``NodeFailure`` where the settings name no database or no Redis.
    package init(settings: Settings, logger: Logger) throws(NodeFailure) {
        self.settings = settings
        self.logger = logger
        do {
            guard let url = try settings.archiveURL() else {
                throw NodeFailure(
                    "archive.url is missing: it names the archive's database (MARTLET_ARCHIVE_URL)",
                    status: NodeFailure.configuration)
            }
            store = ArchiveStore(url)
            guard let redisURL = settings.redisURL else {
                throw NodeFailure(
                    "redis.url is missing: what lies there is erased too (MARTLET_REDIS_URL)",
                    status: NodeFailure.configuration)
            }
            configuration = try settings.backendConfiguration(redisURL: redisURL)
        } catch let failure as NodeFailure {
            throw failure
        } catch {
            throw NodeFailure("\(error)", status: NodeFailure.configuration)
        }
    }

    /// - Parameters:
    ///   - last: the archive's rooms up to this one were gone through before.
    ///   - progress: told now and then.
    package func run(
        user: UserID, after last: String?, progress: @escaping @Sendable (Progress) -> Void
    ) async throws -> Progress {
        do {
            try await store.perform { database throws(ArchiveError) in try database.check() }
        } catch {
            throw ArchiveErasure.failure(error)
        }
        var done = Progress(last: last)
        done.logs = try await eraseLogs(of: user) { logs in progress(Progress(logs: logs)) }
        do throws(ArchiveError) {
            try await eraseRows(of: user, &done, progress)
        } catch {
            throw ArchiveErasure.failure(error)
        }
        store.close()
        return done
    }

    private func eraseLogs(
        of user: UserID, progress: @escaping @Sendable (Erased) -> Void
    ) async throws -> Erased {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let streams = ArchiveStreams(
            configuration: configuration, eventLoop: group.next(), logger: logger, onState: { _ in })
        streams.start()
        let result: Result<Erased, CallError>
        do throws(CallError) {
            result = .success(try await streams.eraseMessages(of: user, progress: progress))
        } catch {
            result = .failure(error)
        }
        await streams.shutdown()
        try await group.shutdownGracefully()
        do {
            return try result.get()
        } catch {
            throw NodeFailure("redis.url: \(error)", status: NodeFailure.unavailable)
        }
    }

    private func eraseRows(
        of user: UserID, _ done: inout Progress, _ progress: @Sendable (Progress) -> Void
    ) async throws(ArchiveError) {
        let name = user.string
        while true {
            let last = done.last ?? ""
            let rooms = try await store.perform { database throws(ArchiveError) in
                try database.rooms(after: last, limit: 100)
            }
            guard !rooms.isEmpty else { break }
            let ends = try await store.perform { database throws(ArchiveError) in try database.ends(of: rooms) }
            for room in rooms {
                for (epoch, end) in ends[room] ?? [:] {
                    for seq in stride(from: 0, to: end.seq, by: ArchiveErasure.window) {
                        done.rows += try await store.perform { database throws(ArchiveError) in
                            try database.erase(
                                name, in: room, epoch: epoch, numbers: seq + 1...seq + ArchiveErasure.window)
                        }
                    }
                }
                done.rooms += 1
                done.last = room
                progress(done)
            }
        }
        done.rows += try await store.perform { database throws(ArchiveError) in try database.forgetSent(of: name) }
    }

    private static func failure(_ error: ArchiveError) -> NodeFailure {
        NodeFailure(
            "archive.url: \(error)",
            status: error.needsOperator ? NodeFailure.configuration : NodeFailure.unavailable)
    }
}
