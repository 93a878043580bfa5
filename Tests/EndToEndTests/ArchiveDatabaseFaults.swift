import Archive
import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Databases that are away for too long, full, or not what they should be.
@Suite("The archive and databases that fail", .serialized)
struct ArchiveDatabaseFaults {
    typealias Kind = DatabaseProcess.Kind

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `a database that stays away beyond what stream and log hold: gaps tell how many messages are lost`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            kind, redisURL: redis.url, rules: "  - {pattern: \"kept-*\", archive: true, log: {size: 200}}\n",
            settings: "archive: {backlog: 1000}\nlog: {streamSize: 200}\n")
        let worker = try await stage.worker()
        for number in 1...50 { try await stage.publish("\(number)", to: "kept-1") }
        try await stage.complete()
        stage.database.kill9()
        for number in 51...650 { try await stage.publish("\(number)", to: "kept-1") }
        // What nobody can take goes on being told.
        try await eventually("what waits") { try await worker.metric("martlet_archive_lag_messages") == 600 }
        try await eventually("its share, and since when") {
            let age = try await worker.metric("martlet_archive_lag_seconds")
            return try await worker.metric("martlet_archive_backlog_ratio") == 0.6 && age > 0
        }
        let tried = try await worker.metric("martlet_archive_retries_total{of=\"database\"}")
        try await eventually("more tries") {
            try await worker.metric("martlet_archive_retries_total{of=\"database\"}") > tried + 2
        }
        for number in 651...3000 { try await stage.publish("\(number)", to: "kept-1") }
        try await eventually("a warning") { worker.log.contains("The archive waits for its database") }
        try stage.database.restart()
        try await eventually("the last message", within: .seconds(60)) {
            (try? await stage.archived("kept-1").last?.seq) == 3000
        }
        try await eventually("nothing that waits") { try await worker.metric("martlet_archive_lag_messages") == 0 }
        let found = try await stage.archived("kept-1")
        let gaps = try await stage.ask { database throws(ArchiveError) in try database.gaps(of: "kept-1") }
        #expect(gaps.count == 1)
        #expect(found.count + gaps.reduce(0) { $0 + $1.count } == 3000)
        #expect(found.count >= 1050)
        #expect(found.allSatisfy { $0.payload.map { String(decoding: $0, as: UTF8.self) } == "\($0.seq)" })
        #expect(try await worker.metric("martlet_archive_lost_total") == Double(gaps.first?.count ?? 0))
        withExtendedLifetime(redis) {}
    }

    @Test(.enabled(if: getuid() == 0, "it mounts a small disk"))
    func `a disk that is full: the worker waits, says so, and loses nothing once there is room`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: redis.url)
        try Self.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", stage.database.folder)
        defer { try? Self.run("umount", "-l", stage.database.folder) }  // It goes with the folder at the latest.
        let worker = try await stage.worker()
        let large = "\"\(String(repeating: "x", count: 60_000))\""
        try await Self.overfill(stage, worker, by: 40, with: large, until: "the database is full")
        try Self.run("mount", "-o", "remount,size=64m", stage.database.folder)
        try await Self.goOn(stage, worker)
        withExtendedLifetime(redis) {}
    }

    /// A server on a full disk may end, and be started again once there is room.
    @Test(.enabled(if: getuid() == 0, "it mounts a small disk"), arguments: [Kind.postgreSQL, .mariaDB])
    func `a server whose disk is full: the worker waits, says so, and loses nothing once there is room`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(kind, redisURL: redis.url)
        let folder = stage.database.folder
        stage.database.kill9()
        try Self.run("mkdir", folder + "-disk")
        try Self.run("mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder + "-disk")
        try Self.run("cp", "-a", folder + "/.", folder + "-disk")
        try Self.run("chown", "--reference", folder, folder + "-disk")
        try Self.run("mount", "--bind", folder + "-disk", folder)
        defer {
            stage.database.kill9()
            // They go with the machine at the latest.
            for path in [folder, folder + "-disk"] { try? Self.run("umount", "-l", path) }
            try? FileManager.default.removeItem(atPath: folder + "-disk")
        }
        try stage.database.restart()
        let worker = try await stage.worker()
        try await stage.publish("0", to: "kept-1")
        try await stage.complete()
        let used = "$(df --output=used -k '\(folder)' | tail -1)"
        try Self.run("sh", "-c", "mount -o remount,size=$((\(used) + 1024))k '\(folder)'")
        // PostgreSQL would press what repeats itself to nothing.
        let noise = Data((0..<45_000).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        let large = "\"\(noise)\""
        try await Self.overfill(stage, worker, by: 200, with: large, until: "the database")
        try Self.run("mount", "-o", "remount,size=1g", folder)
        try stage.database.restart()
        try await Self.goOn(stage, worker)
        withExtendedLifetime(redis) {}
    }

    /// Publishes so many messages, every other one a large one, until the worker says this of itself, and some more, for which
    /// it goes on waiting.
    private static func overfill(
        _ stage: ArchiveStage, _ worker: ArchiveProcess, by count: Int, with large: String, until reason: String
    ) async throws {
        for number in 1...count {
            try await stage.publish(number % 2 == 0 ? large : "\(number)", to: "kept-\(number % 3)")
        }
        try await eventually("the worker to say so") {
            let answer = try await worker.get("/readyz")
            return answer.status == 503 && answer.body.contains(reason)
        }
        // A disk that is full lets itself be asked; that is not enough.
        let tried = try await worker.metric("martlet_archive_retries_total{of=\"database\"}")
        try await eventually("more tries, and no other word") {
            #expect(try await worker.get("/readyz").status == 503)
            return try await worker.metric("martlet_archive_retries_total{of=\"database\"}") > tried + 2
        }
        #expect(worker.log.components(separatedBy: "The archive waits for its database").count <= 3)
        for number in count + 1...count + 20 { try await stage.publish("\(number)", to: "kept-\(number % 3)") }
        #expect(try await worker.get("/healthz").status == 200)
        #expect(try await worker.metric("martlet_archive_lost_total") == 0)
    }

    /// There is room again: nothing is lost.
    private static func goOn(_ stage: ArchiveStage, _ worker: ArchiveProcess) async throws {
        try await stage.complete()
        #expect(try await stage.faults() == [])
        try await eventually("the worker's readiness") { try await worker.get("/readyz").status == 200 }
    }

    private static func run(_ command: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw NeverHappened(description: "\(command) failed") }
    }

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `a missing database ends the worker with 78, and messages wait for it`(_ kind: Kind) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(kind, redisURL: redis.url)
        try await stage.publish("1", to: "kept-1")
        let environment = [
            "MARTLET_REDIS_URL": redis.url, "MARTLET_ARCHIVE_PORT": "0",
            "MARTLET_ARCHIVE_URL": stage.database.url(database: "missing"),
        ]
        let refused = try await NodeProcess.run(["archive"], environment: environment)
        #expect(refused.status == 78, "\(refused.output)")
        #expect(refused.output.contains("archive.url: the database refuses this"), "\(refused.output)")
        let worker = try await stage.worker()
        try await stage.complete()
        #expect(try await stage.faults() == [])
        withExtendedLifetime((redis, worker)) {}
    }

    @Test(arguments: Kind.allCases)
    func `tables of a later release are left alone, by a worker that is at work too`(_ kind: Kind) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(kind, redisURL: redis.url)
        let worker = try await stage.worker()
        try await stage.publish("1", to: "kept-1")
        try await stage.complete()
        worker.terminate()
        #expect(await worker.exitStatus() == 0)
        try await stage.ask { database throws(ArchiveError) in try database.note(version: 99) }
        let refused = try await NodeProcess.run(
            ["archive", "--config", stage.configuration],
            environment: [
                "MARTLET_REDIS_URL": redis.url, "MARTLET_ARCHIVE_PORT": "0", "MARTLET_ARCHIVE_URL": stage.database.url,
            ])
        #expect(refused.status == 78, "\(refused.output)")
        #expect(refused.output.contains("which a later release made"), "\(refused.output)")
        #expect(try await stage.archived("kept-1").count == 1)
        withExtendedLifetime(redis) {}
    }
}
