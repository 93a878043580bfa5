import Archive
import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Rows that backends put into the database, and clients that come back after longer than Redis remembers.
@Suite("The archive's way in, and the way back", .serialized)
struct ArchiveWayInFaults {
    typealias Kind = DatabaseProcess.Kind

    private static func put(_ rows: [(String, String)], _ stage: ArchiveStage) async throws {
        try await stage.ask { database throws(ArchiveError) in
            for (target, payload) in rows { try database.putIntoOutbox(target: target, payload: payload) }
        }
    }

    /// The payloads of a room's log, in order.
    private static func log(_ stage: ArchiveStage, _ room: String) async -> [String] {
        // Nothing was ever written to it, at first.
        guard let page = try? await stage.page(room, "limit=1000") else { return [] }
        return page.lines.map { line in String(line.drop { $0 != " " }.dropFirst()) }
    }

    @Test(arguments: Kind.allCases)
    func `rows of the outbox are broadcast once, in their order, though workers and Redis are killed`(
        _ kind: Kind
    ) async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let redis = try RedisServerProcess(options)
        let stage = try await ArchiveStage.set(
            kind, redisURL: redis.url, rules: "  - {pattern: \"kept-*\", archive: true}\n")
        var workers = [try await stage.worker(), try await stage.worker()]
        for worker in workers {
            try await eventually("the worker's readiness") { try await worker.get("/readyz").status == 200 }
        }
        for round in 0..<4 {
            let rows = (1...50).map { (#"{"rooms":["kept-a","kept-b"]}"#, "\(round * 50 + $0)") }
            try await Self.put(rows, stage)
            switch round {
            case 0, 2:
                workers.removeFirst().kill9()
                workers.append(try await stage.worker())
            case 1: try redis.restart(keepingData: true)
            default: break
            }
        }
        for room in ["kept-a", "kept-b"] {
            try await eventually("all in \(room)", within: .seconds(60)) {
                await Self.log(stage, room).count >= 200
            }
            #expect(await Self.log(stage, room) == (1...200).map { "\($0)" })
        }
        try await eventually("marks") {
            try await stage.ask { database throws(ArchiveError) in try database.outbox(limit: 1) }.isEmpty
        }
        try await stage.ask { database throws(ArchiveError) in
            try database.putIntoOutbox(target: #"{"rooms":["kept-a"]}"#, payload: "201", event: "shipped")
        }
        try await eventually("the name") {
            let answer = try await stage.node.request("GET", "/v1/rooms/kept-a/messages?limit=1")
            return answer.body.contains(#""event":"shipped","payload":201"#)
        }
        let bad = [
            (#"{"rooms":[""]}"#, "1"), ("nonsense", "1"), (#"{"everyone":true}"#, "{"),
            (#"{"users":["alice"]}"#, #"{"text":"\#u{1F600}","big":1e400}"#),
        ]
        try await Self.put(bad, stage)
        try await eventually("the good one") {
            try await stage.node.request("GET", "/v1/rooms/%40alice/messages").body.contains(#""big":1e400}"#)
        }
        try await eventually("marks") {
            try await stage.ask { database throws(ArchiveError) in try database.outbox(limit: 1) }.isEmpty
        }
        withExtendedLifetime((redis, workers)) {}
    }

    @Test(arguments: Kind.allCases)
    func `who comes back with an old position is sent all from archive and log, then what is live`(
        _ kind: Kind
    ) async throws {
        let redis = try RedisServerProcess()
        let stage = try await ArchiveStage.set(
            kind, redisURL: redis.url, rules: "  - {pattern: \"kept-*\", archive: true, log: {size: 20}}\n",
            settings: "archive: {recoverLimit: 160}\n")
        let worker = try await stage.worker()
        // Redis lets go of so large ones by fours.
        let rest = String(repeating: "x", count: 1000)
        for number in 1...170 { try await stage.publish("\"p\(number) \(rest)\"", to: "kept-1") }
        try await stage.complete()
        let epoch = try #require(stage.acknowledged.first?.epoch)
        let socket = try await HostileSocket.open(port: stage.node.clientPort, path: "/ws?userId=alice")
        try await socket.text(with: #""type":"welcome""#)
        socket.send(text: #"{"type":"join","id":1,"roomId":"kept-1","since":{"epoch":"\#(epoch)","seq":20}}"#)
        let joined = try await socket.text(with: #""type":"joined""#)
        #expect(joined.contains(#""recovered":true"#), "\(joined)")
        try await socket.text(with: #""payload":"p170 "#)
        try await stage.publish("\"live\"", to: "kept-1")
        try await socket.text(with: #""payload":"live""#)
        let seqs = socket.texts.filter { $0.hasPrefix(#"{"type":"message""#) }.map { text in
            text.firstMatch(of: /"seq":(\d+)/).flatMap { Int($0.1) }
        }
        #expect(seqs == Array(21...171))
        // Further behind than the settings allow.
        let other = try await HostileSocket.open(port: stage.node.clientPort, path: "/ws?userId=bob")
        try await other.text(with: #""type":"welcome""#)
        other.send(text: #"{"type":"join","id":1,"roomId":"kept-1","since":{"epoch":"\#(epoch)","seq":2}}"#)
        let far = try await other.text(with: #""type":"joined""#)
        #expect(far.contains(#""recovered":false"#) && !far.contains("archive"), "\(far)")
        guard kind != .sqlite else { return }
        stage.database.kill9()
        let third = try await HostileSocket.open(port: stage.node.clientPort, path: "/ws?userId=carol")
        let welcome = try await third.text(with: #""type":"welcome""#)
        third.send(text: #"{"type":"join","id":1,"roomId":"kept-1","since":{"epoch":"\#(epoch)","seq":30}}"#)
        let away = try await third.text(with: #""type":"joined""#)
        #expect(away.contains(#""recovered":false,"archive":"unavailable""#), "\(away)")
        try await stage.publish("\"on\"", to: "kept-1")
        try await third.text(with: #""payload":"on""#)
        // A session that comes back from so far is told the same.
        let session = try #require(welcome.firstMatch(of: /"session":"([^"]+)"/)?.1)
        third.close()
        let back = try await HostileSocket.open(
            port: stage.node.clientPort, path: "/ws?userId=carol&session=\(session)")
        try await back.text(with: #""resumed":true"#)
        back.send(text: #"{"type":"resume","id":2,"since":{"kept-1":{"epoch":"\#(epoch)","seq":30}}}"#)
        let resumed = try await back.text(with: #""type":"resumed""#)
        #expect(resumed.contains(#""recovered":false,"archive":"unavailable""#), "\(resumed)")
        withExtendedLifetime((redis, worker)) {}
    }
}
