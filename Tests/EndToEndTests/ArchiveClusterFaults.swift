import Archive
import Foundation
import GatewayCore
import TestKit
import Testing
import TestSupport

/// What is taken away where rooms, streams and users lie on several servers.
@Suite("The archive over a Cluster", .serialized)
struct ArchiveClusterFaults {
    private static let rooms = (0..<12).map { "kept-\($0)" }

    private static func publish(
        _ payload: String, by user: String, to room: String, _ stage: ArchiveStage
    ) async throws {
        let body = """
            {"to":{"rooms":["\(room)"]},"payload":"\(payload)","userId":"\(user)",\
            "idempotencyKey":"\(UUID().uuidString)"}
            """
        // A server that is being replaced refuses for a moment.
        try await eventually("an acknowledgement") {
            (try? await stage.node.request("POST", "/v1/broadcast", body: body))?.status == 200
        }
    }

    private static func count(_ stage: ArchiveStage) async throws -> Int {
        // At first there are no tables.
        (try? await stage.ask { database throws(ArchiveError) in try database.count() }) ?? 0
    }

    private static func payloads(_ stage: ArchiveStage) async throws -> [String: Set<String?>] {
        var found: [String: Set<String?>] = [:]
        for room in rooms {
            found[room] = Set(
                try await stage.archived(room).map { $0.payload.map { String(decoding: $0, as: UTF8.self) } })
        }
        return found
    }

    @Test func `what is redacted and who is erased is gone from every shard and the archive, though primaries change`()
        async throws
    {
        let group = try await ClusterGroup.start()
        let stage = try await ArchiveStage.set(.sqlite, redisURL: group.url)
        let worker = try await stage.worker()
        for room in Self.rooms {
            try await Self.publish("from alice", by: "alice", to: room, stage)
            try await Self.publish("from bob", by: "bob", to: room, stage)
            try await Self.publish("secret", by: "carol", to: room, stage)
        }
        try await eventually("all in the archive") { try await Self.count(stage) == 36 }
        for (number, room) in Self.rooms.enumerated() {
            if number % 4 == 1 { _ = try await group.failOver(number / 4) }
            try await eventually("a redaction in \(room)") {
                try await stage.node.request("DELETE", "/v1/rooms/\(room)/messages/3").status == 200
            }
        }
        // One more of hers in each, some of them not archived yet.
        worker.kill9()
        for room in Self.rooms { try await Self.publish("again from alice", by: "alice", to: room, stage) }
        _ = try await group.failOver(0)
        try await eventually("her erasure") {
            try await stage.node.request("DELETE", "/v1/users/alice").status == 200
        }
        let second = try await stage.worker()
        try await eventually("what is left") {
            guard try await Self.count(stage) == 48 else { return false }
            return try await Self.payloads(stage).values.allSatisfy { $0 == [nil, "\"from bob\""] }
        }
        for room in Self.rooms {
            let page = try await stage.node.request("GET", "/v1/rooms/\(room)/messages?limit=10").body
            #expect(page.contains("from bob") && !page.contains("alice\"}") && !page.contains("secret"), "\(page)")
            #expect(!page.contains("from alice"), "\(page)")
        }
        let again = try await stage.node.request("DELETE", "/v1/users/alice")
        #expect(again.body.contains(#""messages":0"#), "\(again.body)")
        #expect(try await second.metric("martlet_archive_lost_total") == 0)
        for server in group.shards.flatMap(\.self) where server.process.isAwake {
            let left = try await server.process.cli("--scan", "--pattern", "*:redactions")
            #expect(left == "", "\(left)")
        }
        try await group.stop()
    }
}
