import Archive
import GatewayCore
import TestKit
import Testing

@Suite("The archive on real databases")
struct ArchiveDatabaseTests {
    typealias Kind = DatabaseProcess.Kind

    /// So many messages of a room, from a seq on, an hour apart.
    private static func messages(
        _ room: String, epoch: String = "e1", number: Int = 1, _ seqs: ClosedRange<Int>,
        at start: Int64 = 1_700_000_000_123
    ) -> [ArchivedMessage] {
        seqs.map { seq in
            ArchivedMessage(
                room: room, epoch: epoch, epochNumber: number, seq: seq, userId: "alice", msgType: 1,
                payload: Array(#"{"n":\#(seq)}"#.utf8), sentAt: start + Int64(seq) * 3_600_000)
        }
    }

    private static func write(
        _ messages: [ArchivedMessage], gaps: [ArchiveGap] = [], partition: Int, token: Int64 = 1, to store: ArchiveStore
    ) async throws {
        try await store.perform { database throws(ArchiveError) in
            try database.fence(partition, token: token)
            var batch = ArchiveDatabase.Batch(partition: partition, token: token)
            batch.messages = messages
            batch.gaps = gaps
            try database.write(batch)
        }
    }

    private static func all(of room: String, in store: ArchiveStore) async throws -> [ArchivedMessage] {
        try await store.perform { database throws(ArchiveError) in
            try database.page(of: room, after: nil, limit: 10_000)
        }
    }

    @Test(arguments: Kind.allCases)
    func `what is written is read byte for byte, names at their limits too`(_ kind: Kind) async throws {
        let store = try await Databases.store(kind)
        let room = String(repeating: "r", count: 200)
        let user = String(repeating: "\u{1F600}", count: 32)
        let payloads: [[UInt8]?] = [
            Array(#"{"big":1e400,"zero":"\u0000","n":12345678901234567890123}"#.utf8),
            Array("\"\u{1F600}\u{10FFFF} \u{FFFD}\"".utf8),
            Array("\"\(String(repeating: "x", count: 65_534))\"".utf8), [UInt8](0...255), [], nil,
        ]
        let messages = payloads.enumerated().map { index, payload in
            ArchivedMessage(
                room: room, epoch: "0123456789ab", epochNumber: 1, seq: index + 1, userId: user,
                event: index == 0 ? String(repeating: "\u{1F600}", count: 200) : nil, msgType: 2_147_483_647,
                payload: payload, sentAt: 1_767_225_599_999 + Int64(index))
        }
        try await Self.write(messages, partition: 1, to: store)
        #expect(try await Self.all(of: room, in: store) == messages)
        #expect(try await Self.all(of: room + " ", in: store).isEmpty)
        #expect(try await Self.all(of: room.uppercased(), in: store).isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `a repeat changes nothing, and a batch of any size is one`(_ kind: Kind) async throws {
        let store = try await Databases.store(kind)
        let messages = Self.messages("repeated", 1...1237)
        try await Self.write(Array(messages[..<700]), partition: 2, to: store)
        var changed = messages
        for index in changed.indices { changed[index].payload = Array("\"other\"".utf8) }
        try await Self.write(Array(changed[..<700]) + messages[700...], partition: 2, to: store)
        #expect(try await Self.all(of: "repeated", in: store) == messages)
        let ends = try await store.perform { database throws(ArchiveError) in
            try database.ends(of: ["repeated", "another"])
        }
        #expect(ends == ["repeated": ["e1": ArchiveDatabase.End(number: 1, seq: 1237)]])
    }

    @Test(arguments: Kind.allCases)
    func `who has lost the partition writes nothing of it`(_ kind: Kind) async throws {
        let store = try await Databases.store(kind)
        try await Self.write(Self.messages("fenced", 1...3), partition: 3, token: 10, to: store)
        try await store.perform { database throws(ArchiveError) in try database.fence(3, token: 11) }
        await #expect(throws: ArchiveError.fenced) {
            try await store.perform { database throws(ArchiveError) in
                var batch = ArchiveDatabase.Batch(partition: 3, token: 10)
                batch.messages = Self.messages("fenced", 4...5)
                try database.write(batch)
            }
        }
        await #expect(throws: ArchiveError.fenced) {
            try await store.perform { database throws(ArchiveError) in try database.fence(3, token: 10) }
        }
        #expect(try await store.perform { database throws(ArchiveError) in try database.token(of: 3) } == 11)
        #expect(try await Self.all(of: "fenced", in: store).map(\.seq) == [1, 2, 3])
    }

    @Test(arguments: Kind.allCases)
    func `pages run on from one epoch into the next, both ways`(_ kind: Kind) async throws {
        let store = try await Databases.store(kind)
        let messages =
            Self.messages("paged", 1...10) + Self.messages("paged", epoch: "e2", number: 2, 8...12)
            + Self.messages("paged", epoch: "a3", number: 3, 13...15)
        let gap = ArchiveGap(
            room: "paged", epoch: "a3", epochNumber: 3, from: 16, to: 20, foundAt: 1_700_000_000_456)
        try await Self.write(messages, gaps: [gap], partition: 4, to: store)
        #expect(try await Self.all(of: "paged", in: store) == messages)
        let pages = try await store.perform { database throws(ArchiveError) in
            typealias Place = ArchiveDatabase.Place
            return [
                try database.page(of: "paged", before: nil, limit: 2),
                try database.page(of: "paged", before: Place(epochNumber: 3, seq: 14), limit: 3),
                try database.page(of: "paged", before: Place(epochNumber: 2, seq: 9), limit: 100),
                try database.page(of: "paged", after: Place(epochNumber: 1, seq: 9), limit: 3),
                try database.page(of: "paged", after: Place(epochNumber: 3, seq: 15), limit: 3),
            ]
        }
        #expect(
            pages == [
                Array(messages[16...17]), Array(messages[13...15]), Array(messages[0...10]), Array(messages[9...11]),
                [],
            ])
        #expect(try await store.perform { database throws(ArchiveError) in try database.gaps(of: "paged") } == [gap])
        let end = try await store.perform { database throws(ArchiveError) in try database.ends(of: ["paged"]) }
        #expect(end["paged"]?["a3"] == ArchiveDatabase.End(number: 3, seq: 20))
    }

    @Test(arguments: Kind.allCases)
    func `what is older than its month goes, in parts`(_ kind: Kind) async throws {
        let url = try await Databases.fresh(kind, "pruned")
        let store = ArchiveStore(url)
        _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        // From the 25th of January 2026 on, an hour each: the last 72 are of February.
        let start: Int64 = 1_769_299_200_000 - 3_600_000
        try await Self.write(Self.messages("old", 1...240, at: start), partition: 5, to: store)
        let keepFrom: Int64 = 1_771_000_000_000
        var gone: [Int] = []
        while true {
            let step = try await store.perform { database throws(ArchiveError) -> [Int] in
                let (count, hasMore) = try database.prune(before: keepFrom, most: 100)
                return [count, hasMore ? 1 : 0]
            }
            gone.append(step[0])
            if step[1] == 0 { break }
        }
        #expect(gone == [100, 68])
        #expect(try await Self.all(of: "old", in: store).map(\.seq) == Array(169...240))
    }

    @Test(arguments: Kind.allCases)
    func `tables are made once, however many make them, and those of a later release are left alone`(
        _ kind: Kind
    ) async throws {
        let url = try await Databases.fresh(kind, "newer")
        await #expect(throws: ArchiveError.older(found: 0, known: 2)) {
            try await ArchiveStore(url).perform { database throws(ArchiveError) in try database.check() }
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    _ = try await ArchiveStore(url).perform { database throws(ArchiveError) in try database.migrate() }
                }
            }
            try await tasks.waitForAll()
        }
        let store = ArchiveStore(url)
        try await store.perform { database throws(ArchiveError) in try database.check() }
        try await Self.write(Self.messages("kept", 1...3), partition: 6, to: store)
        #expect(try await store.perform { database throws(ArchiveError) in try database.migrate() } == 2)
        try Databases.run("INSERT INTO martlet_schema VALUES (99, '2026-01-01 00:00:00')", in: url)
        await #expect(throws: ArchiveError.newer(found: 99, known: 2)) {
            try await store.perform { database throws(ArchiveError) in try database.check() }
        }
        await #expect(throws: ArchiveError.newer(found: 99, known: 2)) {
            _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        }
        #expect(try await Self.all(of: "kept", in: store).count == 3)
    }

    @Test(arguments: Kind.allCases)
    func `tables of the release before get what is new, and keep what they have`(_ kind: Kind) async throws {
        let url = try await Databases.fresh(kind, "former")
        let store = ArchiveStore(url)
        _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        try await Self.write(Self.messages("kept", 1...3), partition: 7, to: store)
        try Databases.run("DROP TABLE martlet_outbox", in: url)
        try Databases.run("DELETE FROM martlet_schema WHERE version > 1", in: url)
        #expect(try await store.perform { database throws(ArchiveError) in try database.migrate() } == 1)
        #expect(try await Self.all(of: "kept", in: store).count == 3)
        #expect(try await store.perform { database throws(ArchiveError) in try database.outbox(limit: 9) } == [])
    }

    @Test(arguments: Kind.allCases)
    func `the outbox gives rows in the order of their ids, once they are committed, until they are marked`(
        _ kind: Kind
    ) async throws {
        let url = try await Databases.fresh(kind, "outbox")
        let store = ArchiveStore(url)
        try await store.perform { database throws(ArchiveError) in
            try database.migrate()
            for number in 1...3 {
                try database.putIntoOutbox(target: "{}", payload: "{\"n\":\(number),\"\u{1F600}\":1e400}")
            }
        }
        let rows = try await store.perform { database throws(ArchiveError) in try database.outbox(limit: 2) }
        #expect(rows.map(\.id) == [1, 2])
        #expect(rows.allSatisfy { $0.userId == "system" && $0.msgType == 1 && $0.target == "{}" })
        #expect(rows.first.map { String(decoding: $0.payload, as: UTF8.self) } == "{\"n\":1,\"\u{1F600}\":1e400}")
        try await store.perform { database throws(ArchiveError) in
            try database.settleOutbox([(1, nil), (2, "to: not an object")])
        }
        #expect(
            try await store.perform { database throws(ArchiveError) in try database.outbox(limit: 9) }.map(\.id) == [3])
        // What was refused stays for whoever wants to know.
        let gone = try await store.perform { database throws(ArchiveError) in
            try database.pruneOutbox(before: 4_000_000_000_000)
        }
        #expect(gone == 1)
        #expect(try await store.perform { database throws(ArchiveError) in try database.forgetSent(of: "system") } == 1)
        let other = ArchiveStore(url)
        try await other.perform { database throws(ArchiveError) in
            try database.waitForOutbox(milliseconds: 1)
            try database.waitForOutbox(milliseconds: 1)
        }
        guard kind == .postgreSQL else { return }
        // Whoever waits hears of a row.
        let began = ContinuousClock.now
        async let waited: Void = other.perform { database throws(ArchiveError) in
            try database.waitForOutbox(milliseconds: 60_000)
        }
        try await store.perform { database throws(ArchiveError) in
            try database.putIntoOutbox(target: "{}", payload: "1")
        }
        try await waited
        #expect(began.duration(to: .now) < .seconds(30))
    }

    @Test(arguments: Kind.allCases)
    func `a redacted message and an erased user's have no payload, and a repeat of the batch does not bring it back`(
        _ kind: Kind
    ) async throws {
        let url = try await Databases.fresh(kind, "redacted")
        let store = ArchiveStore(url)
        _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        let messages = Self.messages("kept", 1...6)
        try await Self.write(messages, partition: 8, to: store)
        let epoch = messages[0].epoch
        try await store.perform { database throws(ArchiveError) in
            var batch = ArchiveDatabase.Batch(partition: 8, token: 1)
            batch.messages = messages
            batch.redactions = [2, 9].map { ArchiveRedaction(room: "kept", epoch: epoch, seq: $0, message: nil) }
            try database.write(batch)
        }
        #expect(
            try await Self.all(of: "kept", in: store).map { $0.payload == nil } == [
                false, true, false, false, false, false,
            ])
        let user = messages[0].userId
        let erased = try await store.perform { database throws(ArchiveError) in
            try [1...4, 5...8, 1...8].map { numbers throws(ArchiveError) in
                try database.erase(user, in: "kept", epoch: epoch, numbers: numbers)
            }
        }
        #expect(erased.reduce(0, +) == messages.filter { $0.userId == user && $0.seq != 2 }.count)
        #expect(try await Self.all(of: "kept", in: store).allSatisfy { $0.payload == nil || $0.userId != user })
    }

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `a wrong password, an unknown user and a missing database are told, and never retried by themselves`(
        _ kind: Kind
    ) async throws {
        let server = try await Databases.server(kind)
        let urls = [server.url(password: "wrong"), server.url(user: "nobody"), server.url(database: "missing")]
        for url in urls {
            do {
                try await ArchiveStore(try ArchiveURL(url)).perform { database throws(ArchiveError) in
                    try database.check()
                }
                Issue.record("\(kind) let it in")
            } catch {
                #expect((error as? ArchiveError)?.needsOperator == true, "\(error)")
                #expect(!"\(error)".contains("wrong"))
            }
        }
    }

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `TLS wants a certificate for the host's name by an authority that is trusted`(_ kind: Kind) async throws {
        let certificates = try TestCertificates()
        let server = try DatabaseProcess(kind, certificate: try certificates.vouchedFiles(for: "localhost"))
        func outcome(_ host: String, _ query: String) async throws -> ArchiveError? {
            let store = ArchiveStore(try ArchiveURL(server.url(host: host, query: query)))
            do {
                _ = try await store.perform { database throws(ArchiveError) in try database.version() }
                return nil
            } catch {
                return error
            }
        }
        let trusting = "?tls=verify&ca=\(certificates.authorityFile)"
        #expect(try await outcome("localhost", trusting) == nil)
        #expect(try await outcome("127.0.0.1", "?tls=encrypt") == nil)
        #expect(try await outcome("127.0.0.1", trusting)?.needsOperator == true)
        #expect(try await outcome("localhost", "?tls=verify")?.needsOperator == true)
        let plain = try DatabaseProcess(kind)
        let refused = ArchiveStore(try ArchiveURL(plain.url(query: "?tls=encrypt")))
        do {
            _ = try await refused.perform { database throws(ArchiveError) in try database.version() }
            Issue.record("\(kind) without TLS was spoken to")
        } catch {
            #expect(error.needsOperator, "\(error)")
        }
    }

    @Test func `a file that cannot be made is told`() async throws {
        let store = ArchiveStore(try ArchiveURL("sqlite:///no/such/folder/archive.db"))
        await #expect(throws: ArchiveError.refused("/no/such/folder/archive.db: No such file or directory")) {
            try await store.perform { database throws(ArchiveError) in try database.check() }
        }
    }

    @Test(arguments: [Kind.postgreSQL, .mariaDB])
    func `a server that is killed is away, and what was committed is there when it is back`(_ kind: Kind) async throws {
        let server = try DatabaseProcess(kind)
        let store = ArchiveStore(try ArchiveURL(server.url))
        _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        try await Self.write(Self.messages("lasting", 1...250), partition: 7, to: store)
        server.kill9()
        for _ in 0..<2 {
            do {
                try await Self.write(Self.messages("lasting", 251...251), partition: 7, to: store)
                Issue.record("a killed server took it")
            } catch {
                guard case .away = error as? ArchiveError else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
        try server.restart()
        try await Self.write(Self.messages("lasting", 251...251), partition: 7, to: store)
        #expect(try await Self.all(of: "lasting", in: store) == Self.messages("lasting", 1...251))
    }

    @Test func `whoever else reads a file of SQLite and closes it takes nothing of what is written after`() async throws
    {
        let path = try await Databases.fresh(.sqlite, "read_beside").path
        let writer = try SQLiteConnection(path: path)
        // Of a second connection, of the same process, nothing is closed that the first one stands on.
        let second = try SQLiteConnection(path: path)
        try writer.execute("CREATE TABLE t (n INTEGER)")
        let program = """
            import sqlite3, sys
            reader = sqlite3.connect(sys.argv[1])
            print(reader.execute("SELECT count(*) FROM t").fetchone()[0])
            reader.close()
            """
        for number in 0..<3 {
            let read = await (try ScriptProcess(python: program, arguments: [path])).ended()
            #expect(read.split(separator: "\n") == ["\(number)"])
            try writer.execute("INSERT INTO t VALUES (\(number))")
        }
        writer.close()
        second.close()
    }
}
