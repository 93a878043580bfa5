import Archive
import Foundation
import GatewayCore
import Synchronization
import TestKit
import TestSupport

/// A node whose rooms are archived, a database, and all that was acknowledged.
final class ArchiveStage: Sendable {
    /// What a publish was answered with, and what was published.
    struct Acknowledged: Hashable, Sendable {
        let room: String
        let epoch: String
        let seq: Int
        let payload: String
    }

    let redisURL: String
    let node: NodeProcess
    let database: DatabaseProcess
    let configuration: String
    private let acknowledgements = Mutex<[Acknowledged]>([])
    private let store: Mutex<ArchiveStore?> = Mutex(nil)

    /// - Parameter rules: lines of `rooms`; all rooms that begin with `kept-` are archived where there are none.
    static func set(
        _ kind: DatabaseProcess.Kind, redisURL: String, rules: String = "  - {pattern: \"kept-*\", archive: true}\n",
        settings: String = ""
    ) async throws -> ArchiveStage {
        let configuration = FileManager.default.temporaryDirectory.path + "/archive-\(UUID().uuidString).yaml"
        try "rooms:\n\(rules)\(settings)".write(toFile: configuration, atomically: true, encoding: .utf8)
        let database = try DatabaseProcess(kind)
        let node = try await NodeProcess.start(
            nodeId: "n0", redisURL: redisURL, environment: ["MARTLET_ARCHIVE_URL": database.url],
            configuration: configuration)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        return ArchiveStage(redisURL, node, database, configuration)
    }

    private init(_ redisURL: String, _ node: NodeProcess, _ database: DatabaseProcess, _ configuration: String) {
        self.redisURL = redisURL
        self.node = node
        self.database = database
        self.configuration = configuration
    }

    deinit { try? FileManager.default.removeItem(atPath: configuration) }  // It lies among temporary files.

    /// One worker.
    func worker(_ environment: [String: String] = [:]) async throws -> ArchiveProcess {
        try await ArchiveProcess.start(
            redisURL: redisURL, databaseURL: database.url, configuration: configuration, environment: environment)
    }

    var acknowledged: [Acknowledged] { acknowledgements.withLock { $0 } }

    /// Publishes to a room; answers whether it was acknowledged. Repeated under its key until it is.
    func publish(_ payload: String, to room: String) async throws {
        let body = #"{"to":{"rooms":["\#(room)"]},"payload":\#(payload),"idempotencyKey":"\#(UUID().uuidString)"}"#
        try await eventually("an acknowledgement") {
            guard let answer = try? await self.node.request("POST", "/v1/broadcast", body: body), answer.status == 200,
                let rooms = answer.json?["rooms"] as? [[String: Any]], let epoch = rooms.first?["epoch"] as? String,
                let seq = rooms.first?["seq"] as? Int
            else { return false }
            self.acknowledgements.withLock {
                $0.append(Acknowledged(room: room, epoch: epoch, seq: seq, payload: payload))
            }
            return true
        }
    }

    /// Asks the database, over a connection of its own.
    func ask<Answer: Sendable>(
        _ body: @escaping @Sendable (ArchiveDatabase) throws(ArchiveError) -> Answer
    ) async throws -> Answer {
        let store = try store.withLock { known in
            if let known { return known }
            let store = ArchiveStore(try ArchiveURL(database.url))
            known = store
            return store
        }
        return try await store.perform(body)
    }

    /// What the archive has of a room, in the room's order.
    func archived(_ room: String) async throws -> [ArchivedMessage] {
        try await ask { database throws(ArchiveError) in
            try database.page(of: room, after: nil, limit: 1_000_000)
        }
    }

    /// Waits until the archive has as many messages as were acknowledged.
    func complete(within limit: Duration = .seconds(60)) async throws {
        let expected = acknowledged.count
        try await eventually("\(expected) messages in the archive", within: limit) {
            (try? await self.ask { database throws(ArchiveError) in try database.count() }) ?? 0 >= expected
        }
    }

    /// What is wrong with the archive: each acknowledged message once, byte for byte, in its room's order, and no other.
    func faults() async throws -> [String] {
        var faults: [String] = []
        for (room, expected) in Dictionary(grouping: acknowledged, by: \.room) {
            let found = try await archived(room)
            let rows = found.map {
                Acknowledged(
                    room: room, epoch: $0.epoch, seq: $0.seq, payload: String(decoding: $0.payload ?? [], as: UTF8.self)
                )
            }
            let missing = Set(expected).subtracting(rows)
            let surplus = Set(rows).subtracting(expected)
            if !missing.isEmpty { faults.append("\(room) lacks \(missing.prefix(3)) (\(missing.count))") }
            if !surplus.isEmpty { faults.append("\(room) has \(surplus.prefix(3)) (\(surplus.count)) besides") }
            if rows.count != Set(rows).count { faults.append("\(room) has a message twice") }
            let order = found.map { [$0.epochNumber, $0.seq] }
            if order != order.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                faults.append("\(room) is out of order")
            }
            let gaps = try await ask { database throws(ArchiveError) in try database.gaps(of: room) }
            if !gaps.isEmpty { faults.append("\(room) has gaps: \(gaps)") }
        }
        return faults
    }

    /// One page of a room's history by REST: its messages as `epoch:seq payload`, and what else the answer says.
    func page(_ room: String, _ query: String) async throws -> (lines: [String], more: Bool, archive: String?) {
        let answer = try await node.request("GET", "/v1/rooms/\(room)/messages?\(query)")
        guard answer.status == 200, let json = answer.json, let epoch = json["epoch"] as? String,
            let messages = json["messages"] as? [[String: Any]], let more = json["more"] as? Bool
        else { throw NeverHappened(description: "history answered \(answer.status): \(answer.body.prefix(300))") }
        let lines = messages.map { message in
            "\(message["epoch"] as? String ?? epoch):\(message["seq"] ?? "") \(message["payload"] ?? "")"
        }
        return (lines, more, json["archive"] as? String)
    }
}
