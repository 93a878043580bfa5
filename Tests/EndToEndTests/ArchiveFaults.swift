import Archive
import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Messages of real nodes in real databases, whatever dies in between.
@Suite("The archive under faults", .serialized)
struct ArchiveFaults {
    typealias Kind = DatabaseProcess.Kind

    /// As clients may send them: with what a JSON type of a database would rewrite.
    private static func payload(_ number: Int) -> String {
        switch number % 5 {
        case 0: #"{"n":\#(number),"big":1e400,"zero":"\u0000"}"#
        case 1: #"{ "n" : \#(number) , "n" : "\#u{1F600}\#u{10FFFF}" }"#
        case 2: #"{"n":\#(number),"text":"\#(String(repeating: "x", count: number % 100 == 2 ? 60_000 : 128))"}"#
        default: #"{"n":\#(number),"number":12345678901234567890.10}"#
        }
    }

    @Test(arguments: Kind.allCases)
    func `the worker and the database are killed three times each: every acknowledged message is there once`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(kind, redisURL: redis.url)
        var worker = try await stage.worker()
        let start = ContinuousClock.now
        let publishing = Task {
            for number in 0..<900 {
                try await ContinuousClock().sleep(until: start + .milliseconds(20) * number)
                try await stage.publish(Self.payload(number), to: "kept-\(number % 3)")
            }
        }
        for round in 0..<3 {
            let before = 250 * round
            try await eventually("messages") { stage.acknowledged.count >= before + 100 }
            worker.kill9()
            worker = try await stage.worker()
            try await eventually("more messages") { stage.acknowledged.count >= before + 200 }
            stage.database.kill9()
            try await eventually("messages without it") { stage.acknowledged.count >= before + 250 }
            try stage.database.restart()
        }
        try await publishing.value
        let published = ContinuousClock.now
        try await stage.complete()
        print(
            "\(kind): \(stage.acknowledged.count) messages in \(start.duration(to: published)), all archived",
            "\(published.duration(to: .now)) later")
        #expect(stage.acknowledged.count == 900)
        #expect(try await stage.faults() == [])
        let last = worker
        try await eventually("the worker's readiness") { try await last.get("/readyz").status == 200 }
        last.terminate()
        #expect(await last.exitStatus() == 0, "\(last.log.suffix(2000))")
        withExtendedLifetime(redis) {}
    }

    @Test func `two workers share the partitions, and those of a killed one move within seconds`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: redis.url)
        let dying = try await stage.worker()
        try await eventually("the first to have all") { try await dying.metric("martlet_archive_partitions") == 64 }
        let living = try await stage.worker()
        try await eventually("even shares") {
            let shares = [
                try await dying.metric("martlet_archive_partitions"),
                try await living.metric("martlet_archive_partitions"),
            ]
            return shares == [32, 32]
        }
        for number in 0..<60 { try await stage.publish(Self.payload(number), to: "kept-\(number)") }
        try await stage.complete()
        dying.kill9()
        let killed = ContinuousClock.now
        for number in 0..<60 { try await stage.publish(Self.payload(number), to: "kept-\(number)") }
        try await stage.complete()
        let moved = killed.duration(to: .now)
        print("the partitions of a killed worker moved within \(moved)")
        #expect(moved < .seconds(8))
        #expect(try await stage.faults() == [])
        // One that ends in order hands its partitions on at once.
        living.terminate()
        #expect(await living.exitStatus() == 0)
        withExtendedLifetime(redis) {}
    }

    @Test func `what the stream has lost comes from the room's log, and what is gone there too is a gap`() async throws
    {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            .sqlite, redisURL: redis.url,
            rules:
                "  - {pattern: \"kept-short\", archive: true, log: {size: 10}}\n  - {pattern: \"kept-*\", archive: true}\n"
        )
        for number in 1...400 {
            try await stage.publish(Self.payload(number), to: number <= 100 ? "kept-long" : "kept-short")
        }
        for key in try await redis.cli("KEYS", "m:*:messages").split(separator: "\n") {
            _ = try await redis.cli("DEL", String(key))
        }
        try await stage.publish(Self.payload(401), to: "kept-long")
        try await stage.publish(Self.payload(402), to: "kept-short")
        let worker = try await stage.worker()
        try await eventually("the last messages") {
            let long = (try? await stage.archived("kept-long").count) ?? 0
            let short = (try? await stage.archived("kept-short").last?.seq) ?? 0
            return long == 101 && short == 301
        }
        #expect(try await stage.archived("kept-long").map(\.seq) == Array(1...101))
        let short = try await stage.archived("kept-short").map(\.seq)
        let gaps = try await stage.ask { database throws(ArchiveError) in try database.gaps(of: "kept-short") }
        let first = try #require(short.first)
        #expect(first > 1)
        #expect(short == Array(first...301))
        #expect(gaps.map { [$0.from, $0.to] } == [[1, first - 1]])
        #expect(try await worker.metric("martlet_archive_gaps_total") == 1)
        #expect(try await worker.metric("martlet_archive_lost_total") == Double(first - 1))
        #expect(try await worker.metric("martlet_archive_filled_total") == Double(100 + short.count - 1))
        withExtendedLifetime(redis) {}
    }

    @Test func `Redis comes back empty: a new epoch begins, and nothing is lost or written over`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: redis.url)
        let worker = try await stage.worker()
        for number in 0..<50 { try await stage.publish(Self.payload(number), to: "kept-1") }
        try await stage.complete()
        try redis.restart(keepingData: false)
        for number in 50..<100 { try await stage.publish(Self.payload(number), to: "kept-1") }
        try await stage.complete()
        #expect(try await stage.faults() == [])
        #expect(Set(try await stage.archived("kept-1").map(\.epochNumber)) == [1, 2])
        #expect(
            try await stage.archived("kept-1").map { String(decoding: $0.payload ?? [], as: UTF8.self) }
                == (0..<100).map(Self.payload))
        withExtendedLifetime((redis, worker)) {}
    }

    @Test(arguments: Kind.allCases)
    func `history goes on in the archive page by page, over an emptied Redis too, and says where that is away`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            kind, redisURL: redis.url, rules: "  - {pattern: \"kept-*\", archive: true, log: {size: 20}}\n")
        let worker = try await stage.worker()
        for number in 1...300 { try await stage.publish("\(number)", to: "kept-1") }
        try await stage.complete()
        #expect(try await redis.cli("XLEN", "m:\(Partition(of: "kept-1").tag):room:kept-1:log") != "300")
        try redis.restart(keepingData: false)
        // Before anything is written again, the archive is all there is.
        try await eventually("the archive's own page") {
            (try? await stage.page("kept-1", "limit=3").lines.map { $0.split(separator: " ").last }) == [
                "298", "299", "300",
            ]
        }
        for number in 301...420 { try await stage.publish("\(number)", to: "kept-1") }
        try await stage.complete()
        let expected = stage.acknowledged.map { "\($0.epoch):\($0.seq) \($0.payload)" }
        var back: [String] = []
        var query = "limit=37"
        while true {
            let page = try await stage.page("kept-1", query)
            #expect(page.archive == nil)
            back = page.lines + back
            guard page.more, let first = page.lines.first?.split(separator: " ").first else { break }
            query = "limit=37&before=\(first)"
        }
        #expect(back == expected)
        var on: [String] = []
        query = "limit=41&after=\(stage.acknowledged[0].epoch):0"
        while true {
            let page = try await stage.page("kept-1", query)
            on += page.lines
            guard page.more, let last = page.lines.last?.split(separator: " ").first else { break }
            query = "limit=41&after=\(last)"
        }
        #expect(on == expected)
        guard kind != .sqlite else { return }
        stage.database.kill9()
        let live = try await stage.page("kept-1", "limit=1000")
        #expect(live.archive == "unavailable")
        #expect(live.lines.last == expected.last)
        #expect(live.lines.count < 300)
        try stage.database.restart()
        try await eventually("the archive again") { try await stage.page("kept-1", "limit=1000").archive == nil }
        withExtendedLifetime((redis, worker)) {}
    }

    @Test func `a client's page reaches into the archive too`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: redis.url)
        let worker = try await stage.worker()
        for number in 1...5 { try await stage.publish("\(number)", to: "kept-1") }
        try await stage.complete()
        let epoch = try #require(stage.acknowledged.first?.epoch)
        try redis.restart(keepingData: false)
        try await stage.publish("6", to: "kept-1")
        let socket = try await HostileSocket.open(port: stage.node.clientPort, path: "/ws?userId=alice")
        try await socket.text(with: #""type":"welcome""#)
        socket.send(text: #"{"type":"join","roomId":"kept-1"}"#)
        try await socket.text(with: #""type":"joined""#)
        socket.send(text: #"{"type":"history","id":1,"roomId":"kept-1","limit":3}"#)
        let page = try await socket.text(with: #""id":1,"#)
        #expect(page.contains(#""payload":4,"#) && page.contains(#""payload":6,"#), "\(page)")
        #expect(page.contains(#""seq":5,"epoch":"\#(epoch)"}"#), "\(page)")
        #expect(page.contains(#""more":true"#), "\(page)")
        socket.send(
            text: #"{"type":"history","id":2,"roomId":"kept-1","before":{"epoch":"\#(epoch)","seq":4},"limit":10}"#)
        let rest = try await socket.text(with: #""id":2,"#)
        #expect(rest.contains(#""payload":1,"#) && !rest.contains(#""payload":4,"#), "\(rest)")
        #expect(rest.contains(#""more":false"#), "\(rest)")
        withExtendedLifetime((redis, worker)) {}
    }

    @Test func `the stream keeps what waits beyond log.streamSize, and lets it go once it is archived`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            .postgreSQL, redisURL: redis.url,
            rules: "  - {pattern: \"kept-*\", archive: true}\n  - {pattern: \"own-*\", stream: true}\n",
            settings: "log: {streamSize: 200}\n")
        stage.database.kill9()
        let worker = try await stage.worker()
        try await eventually("the worker to say so") {
            let answer = try await worker.get("/readyz")
            return answer.status == 503 && answer.body.contains("the database is away")
        }
        for number in 0..<1000 { try await stage.publish(Self.payload(number), to: "kept-1") }
        let key = "m:\(Partition(of: "kept-1").tag):messages"
        #expect(try await redis.cli("XLEN", key) == "1000")
        try stage.database.restart()
        try await stage.complete()
        #expect(try await stage.faults() == [])
        // Redis lets go of whole nodes of a hundred entries.
        try await eventually("a stream that was trimmed") {
            (200...400).contains(Int(try await redis.cli("XLEN", key)) ?? 0)
        }
        try await eventually("the worker's readiness") { try await worker.get("/readyz").status == 200 }
        #expect(try await worker.metric("martlet_archive_rows_total") == 1000)
        withExtendedLifetime(redis) {}
    }

    @Test func `under Sentinel, with the primary killed`() async throws {
        let group = try await SentinelGroup.start()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: group.url)
        let worker = try await stage.worker()
        for number in 0..<90 { try await stage.publish(Self.payload(number), to: "kept-\(number % 30)") }
        try await stage.complete()
        group.servers[0].kill9()
        _ = try await group.promoted()
        for number in 90..<180 { try await stage.publish(Self.payload(number), to: "kept-\(number % 30)") }
        try await stage.complete()
        #expect(try await stage.faults() == [])
        withExtendedLifetime(worker) {}
        group.stop()
    }

    @Test func `over a Cluster, with a primary killed`() async throws {
        let group = try await ClusterGroup.start()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: group.url)
        let workers = [try await stage.worker(), try await stage.worker()]
        for number in 0..<90 { try await stage.publish(Self.payload(number), to: "kept-\(number % 30)") }
        try await stage.complete()
        let first = try await group.primary(ofShard: 0)
        first.process.kill9()
        _ = try await group.promoted(after: first)
        for number in 90..<180 { try await stage.publish(Self.payload(number), to: "kept-\(number % 30)") }
        try await stage.complete()
        #expect(try await stage.faults() == [])
        withExtendedLifetime(workers) {}
        try await group.stop()
    }

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `a worker with a wrong password ends with 78, and none of it is said`(_ kind: Kind) async throws {
        let database = try DatabaseProcess(kind)
        let environment = [
            "MARTLET_REDIS_URL": "redis://127.0.0.1:1", "MARTLET_ARCHIVE_PORT": "0",
            "MARTLET_ARCHIVE_URL": database.url(password: "hunter2"),
        ]
        let refused = try await NodeProcess.run(["archive"], environment: environment)
        #expect(refused.status == 78)
        #expect(refused.output.contains("archive.url: the database refuses this"))
        #expect(!refused.output.contains("hunter2"))
        let file = FileManager.default.temporaryDirectory.path + "/archive-password-\(UUID().uuidString)"
        try (DatabaseProcess.password + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }  // It lies among temporary files.
        let migrated = try await NodeProcess.run(
            ["archive", "--migrate"],
            environment: environment.merging(["MARTLET_ARCHIVE_PASSWORD_FILE": file]) { $1 })
        #expect(migrated.status == 0, "\(migrated.output)")
        #expect(migrated.output.contains("before they were of 0"))
    }

    @Test(arguments: Kind.allCases)
    func `a room or a user is handed out line by line, payloads as they were sent`(_ kind: Kind) async throws {
        let database = try DatabaseProcess(kind)
        let store = ArchiveStore(try ArchiveURL(database.url))
        let payloads = [#"{"a":1e400,"z":"\u0000"}"#, nil, #""\#u{1F600}""#]
        try await store.perform { database throws(ArchiveError) in
            try database.migrate()
            try database.fence(0, token: 1)
            var batch = ArchiveDatabase.Batch(partition: 0, token: 1)
            for room in ["r1", "r2"] {
                batch.messages += (1...120).map { seq in
                    ArchivedMessage(
                        room: room, epoch: "e", epochNumber: 1, seq: seq, userId: seq % 2 == 0 ? "alice" : "bo\"b",
                        event: seq == 1 ? "typing" : nil, msgType: 1, payload: payloads[seq % 3].map { Array($0.utf8) },
                        sentAt: 1_700_000_000_000)
                }
            }
            try database.write(batch)
        }
        let environment = ["MARTLET_ARCHIVE_URL": database.url]
        let room = try await NodeProcess.run(["archive", "export", "--room", "r1"], environment: environment)
        let lines = room.output.split(separator: "\n").filter { $0.hasPrefix("{") }
        #expect(room.status == 0)
        #expect(lines.count == 120)
        #expect(
            lines.first
                == #"{"roomId":"r1","epoch":"e","epochNumber":1,"seq":1,"userId":"bo\"b","event":"typing","msgType":1,"timestamp":1700000000000,"payload":null,"redacted":true}"#
        )
        #expect(lines[2].hasSuffix(#","payload":{"a":1e400,"z":"\u0000"}}"#))
        #expect(room.output.contains("120 messages"))
        let user = try await NodeProcess.run(["archive", "export", "--user", "alice"], environment: environment)
        let theirs = user.output.split(separator: "\n").filter { $0.hasPrefix("{") }
        #expect(theirs.count == 120)
        #expect(theirs.allSatisfy { $0.contains(#""userId":"alice""#) })
        #expect(theirs.count { $0.contains(#""roomId":"r2""#) } == 60)
    }

    @Test func `a worker without a database or a Redis says what is missing`() async throws {
        let nothing = try await NodeProcess.run(["archive"])
        #expect(nothing.status == 78)
        #expect(nothing.output.contains("archive.url is missing"))
        let noRedis = try await NodeProcess.run(["archive"], environment: ["MARTLET_ARCHIVE_URL": "sqlite:///tmp/a.db"])
        #expect(noRedis.status == 78)
        #expect(noRedis.output.contains("redis.url is missing"))
        let wrong = try await NodeProcess.run(
            ["archive"], environment: ["MARTLET_ARCHIVE_URL": "oracle://u:hunter2@h/x"])
        #expect(wrong.status == 78)
        #expect(wrong.output.contains("archive.url cannot be used: it must begin with postgres://"))
        #expect(!wrong.output.contains("hunter2"))
    }
}
