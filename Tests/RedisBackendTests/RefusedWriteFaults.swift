import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A Redis that takes no writes just now: it has too few replicas, its disk has failed it, or it is full.
@Suite("Reading where nothing may be written", .serialized)
struct RefusedWriteFaults {
    enum Refusal: CaseIterable, Sendable {
        case noReplicas, failedSave, outOfMemory

        func begin(at redis: RedisServerProcess) async throws {
            switch self {
            case .noReplicas:
                _ = try await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
            case .failedSave:
                _ = try await redis.cli("CONFIG", "SET", "save", "3600 1")
                // The place of its file is taken by a folder.
                _ = try await redis.cli("CONFIG", "SET", "dbfilename", "taken")
                _ = try await redis.cli("BGSAVE")
                try await eventually { try await redis.cli("INFO", "persistence").contains("bgsave_status:err") }
            case .outOfMemory:
                _ = try await redis.cli("CONFIG", "SET", "maxmemory", "1")
            }
        }
    }

    @Test(arguments: Refusal.allCases) func `what only reads goes on`(refusal: Refusal) async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--enable-protected-configs", "yes"]
        let redis = try RedisServerProcess(options)
        let observer = try Observer(redis)
        let store = observer.store
        let user = UserID(unchecked: "alice")
        let (own, rooms) = (Partition(of: user.string), Partition(of: room))
        let holder = Holder(node: "n1", incarnation: 5)
        _ = try await store.call(MeetServer(in: rooms))
        let limits = LogLimits(size: 10, age: .seconds(60))
        let message = Publish(
            Array("1 5 alice{}".utf8), to: room, limits: limits, candidate: "e1", link: "link0001")
        _ = try await store.call(message)
        let quiet = try #require(
            (0...).lazy.map { RoomName(unchecked: "quiet\($0)") }.first { Partition(of: $0) == rooms })
        let positions = [room, quiet].map {
            AskPosition($0, hasRoster: true, limits: limits, reading: nil, candidate: "e1")
        }
        for position in positions { _ = try await store.call(position) }
        let history = ReadHistory(
            of: room, range: HistoryRange(edge: .newest, limit: 5), age: .seconds(60), candidate: "e1")
        let claim = try await store.call(ClaimPartition(own, for: holder, live: [holder]))
        guard case .claimed(let mark) = claim else { throw NeverHappened(description: "no mark: \(claim)") }
        try FileManager.default.createDirectory(atPath: redis.folder + "/taken", withIntermediateDirectories: false)
        try await refusal.begin(at: redis)
        await #expect(throws: CallError.self) { try await store.call(message) }
        #expect(try await store.read(history).messages.count == 1)
        for (position, seq) in zip(positions, [1, 0]) { #expect(try await store.read(position).head.seq == seq) }
        _ = try await store.call(ReadStates(of: [user], in: own))
        _ = try await store.call(ReadHeads(of: [room], in: rooms))
        _ = try await store.call(ReadPage(of: store.keys.online(own), limit: 5, after: nil))
        _ = try await store.call(ReadBacklog(of: "w", in: own))
        _ = try await store.call(Look(at: own, mark: mark, latest: 1))
        _ = try await store.call(
            Compare([.user(user, connection: "c", session: SessionID(of: user))], in: own, holder: holder))
        _ = try await store.call(Admit(user, issuedAt: 1))
        _ = try await store.call(ReadBans())
    }
}
