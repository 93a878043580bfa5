import Archive
import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// What is taken away is gone everywhere, whoever dies in between.
@Suite("The archive and what is taken away", .serialized)
struct ArchiveErasureFaults {
    typealias Kind = DatabaseProcess.Kind

    private static func redact(_ seq: Int, in room: String, _ stage: ArchiveStage, epoch: String? = nil) async throws {
        let query = epoch.map { "?epoch=\($0)" } ?? ""
        let answer = try await stage.node.request("DELETE", "/v1/rooms/\(room)/messages/\(seq)\(query)")
        guard answer.status == 200, answer.json?["seq"] as? Int == seq else {
            throw NeverHappened(description: "redaction answered \(answer.status): \(answer.body)")
        }
    }

    private static func payloads(_ stage: ArchiveStage, _ room: String) async throws -> [String?] {
        try await stage.archived(room).map { $0.payload.map { String(decoding: $0, as: UTF8.self) } }
    }

    @Test(arguments: Kind.allCases)
    func `a redacted message leaves the archive, or never comes into it, though the worker and the database die`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            kind, redisURL: redis.url,
            rules: """
                  - {pattern: "kept-bare", archive: true, log: {size: 0}}
                  - {pattern: "kept-*", archive: true}

                """)
        var worker = try await stage.worker()
        for number in 1...4 { try await stage.publish("\(number)", to: "kept-1") }
        try await stage.complete()
        // The archive has it.
        try await Self.redact(2, in: "kept-1", stage)
        try await eventually { try await Self.payloads(stage, "kept-1") == ["1", nil, "3", "4"] }
        // It is on its way, in a stream that nobody reads.
        worker.kill9()
        for number in 5...8 { try await stage.publish("\(number)", to: "kept-1") }
        for number in 1...3 { try await stage.publish("\(number)", to: "kept-bare") }
        try await Self.redact(3, in: "kept-1", stage)
        try await Self.redact(6, in: "kept-1", stage)
        try await Self.redact(6, in: "kept-1", stage)
        try await Self.redact(2, in: "kept-bare", stage)
        if kind != .sqlite {
            stage.database.kill9()
            let waiting = try await stage.worker()
            try await eventually("the worker to say so") { try await waiting.get("/readyz").status == 503 }
            waiting.kill9()
            try stage.database.restart()
        }
        worker = try await stage.worker()
        try await stage.complete()
        try await eventually {
            try await Self.payloads(stage, "kept-1") == ["1", nil, nil, "4", "5", nil, "7", "8"]
        }
        #expect(try await Self.payloads(stage, "kept-bare") == ["1", nil, "3"])
        #expect(try await worker.metric("martlet_archive_lost_total") == 0)
        let bare = try await stage.ask { database throws(ArchiveError) in try database.gaps(of: "kept-bare") }
        #expect(bare.isEmpty)
        try await eventually("nothing left to be taken away") {
            try await redis.cli("KEYS", "*:redactions") == ""
        }
        // Of an earlier count, which Redis does not know any more.
        let epoch = try #require(stage.acknowledged.first?.epoch)
        try redis.restart(keepingData: false)
        try await stage.publish("9", to: "kept-1")
        try await Self.redact(1, in: "kept-1", stage, epoch: epoch)
        try await stage.complete()
        try await eventually {
            try await Self.payloads(stage, "kept-1") == [nil, nil, nil, "4", "5", nil, "7", "8", "9"]
        }
        let page = try await stage.node.request("GET", "/v1/rooms/kept-1/messages?limit=20").body
        #expect(page.contains(#""payload":null,"redacted":true"#))
        withExtendedLifetime(redis) {}
    }

    @Test func `members are told, on every node, and who catches up gets no payload`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: redis.url)
        let socket = try await HostileSocket.open(port: stage.node.clientPort, path: "/ws?userId=alice")
        try await socket.text(with: #""type":"welcome""#)
        socket.send(text: #"{"type":"join","roomId":"kept-1"}"#)
        try await socket.text(with: #""type":"joined""#)
        for number in 1...3 { try await stage.publish("\(number)", to: "kept-1") }
        try await socket.text(with: #""seq":3"#)
        try await Self.redact(2, in: "kept-1", stage)
        let told = try await socket.text(with: #""type":"room""#)
        let epoch = try #require(stage.acknowledged.first?.epoch)
        #expect(told == #"{"type":"room","roomId":"kept-1","event":"redacted","seq":2,"epoch":"\#(epoch)"}"#)
        socket.send(text: #"{"type":"join","id":2,"roomId":"kept-1","since":{"seq":1}}"#)
        let again = try await socket.text(with: #""payload":null,"redacted":true"#)
        #expect(again.contains(#""seq":2"#), "\(again)")
        withExtendedLifetime(redis) {}
    }

    @Test(arguments: Kind.allCases)
    func `a user is erased in logs and archive, counted, and again is nothing`(_ kind: Kind) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(kind, redisURL: redis.url)
        let worker = try await stage.worker()
        for number in 1...20 {
            let user = number % 4 == 0 ? "alice" : "bob"
            let body =
                #"{"to":{"rooms":["kept-\#(number % 2)"]},"payload":"from \#(user)","userId":"\#(user)"}"#
            #expect(try await stage.node.request("POST", "/v1/broadcast", body: body).status == 200)
        }
        // There are no tables before the worker has made them.
        try await eventually {
            (try? await stage.ask { database throws(ArchiveError) in try database.count() }) == 20
        }
        let environment = ["MARTLET_REDIS_URL": redis.url, "MARTLET_ARCHIVE_URL": stage.database.url]
        let erased = try await NodeProcess.run(
            ["archive", "erase", "--user", "alice", "--config", stage.configuration], environment: environment)
        #expect(erased.status == 0, "\(erased.output)")
        #expect(erased.output.contains("5 messages in 1 logs"), "\(erased.output)")
        try await eventually {
            let rows = try await stage.archived("kept-0") + (try await stage.archived("kept-1"))
            return rows.count == 20 && rows.allSatisfy { ($0.userId == "alice") == ($0.payload == nil) }
        }
        let history = try await stage.node.request("GET", "/v1/rooms/kept-0/messages?limit=100").body
        #expect(!history.contains("from alice") && history.contains("from bob"))
        let again = try await NodeProcess.run(
            ["archive", "erase", "--user", "alice", "--config", stage.configuration], environment: environment)
        #expect(again.output.contains("0 messages in 0 logs, 0 in 2 rooms"), "\(again.output)")
        let unknown = try await stage.node.request("DELETE", "/v1/users/bob")
        #expect(unknown.body.contains(#"{"userId":"bob","rooms":2,"messages":15}"#), "\(unknown.body)")
        try await eventually {
            let rows = try await stage.archived("kept-0") + (try await stage.archived("kept-1"))
            return rows.allSatisfy { $0.payload == nil }
        }
        withExtendedLifetime((redis, worker)) {}
    }

    @Test func `inboxes and messages to everyone are kept where the settings say so`() async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            .sqlite, redisURL: redis.url, rules: "  - {pattern: \"kept-*\", archive: true}\n",
            settings: "archive: {inboxes: true, everyone: true}\n")
        let worker = try await stage.worker()
        for to in [#"{"users":["alice","bob"]}"#, #"{"everyone":true}"#, #"{"rooms":["other"]}"#] {
            let answer = try await stage.node.request("POST", "/v1/broadcast", body: #"{"to":\#(to),"payload":7}"#)
            #expect(answer.status == 200)
        }
        try await eventually {
            // At first there are no tables.
            let rooms = try? await stage.ask { database throws(ArchiveError) in try database.rooms(after: "", limit: 9)
            }
            return rooms == ["*", "@alice", "@bob"]
        }
        try redis.restart(keepingData: false)
        try await eventually("history of an inbox from the archive") {
            try await stage.page("@alice", "limit=3").lines.map { $0.split(separator: " ").last } == ["7"]
        }
        withExtendedLifetime((redis, worker)) {}
    }
}
