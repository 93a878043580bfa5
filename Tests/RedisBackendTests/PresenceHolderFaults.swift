import Foundation
import GatewayCore
import NIOCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// A node that knows itself among a partition's holders does not put itself there again and again.
@Suite("A node among the holders", .serialized, .timeLimit(.minutes(1)))
struct PresenceHolderFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")
    private let holder = Holder(node: "n1", incarnation: 5)

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func connect(_ id: String, reply: @escaping @Sendable (Result<Connect.Answer, CallError>) -> Void) {
        let connection = PresenceConnection(id: id, userId: alice, address: "")
        let settings = PresenceSettings()
        observer.store.call(Connect(connection, by: holder, isKnown: true, settings: settings), reply: reply)
        let join = Join(
            room, connection: id, of: alice, info: Array("{}".utf8), holder: holder, isKnown: true, mode: .new,
            settings: settings)
        observer.store.call(join) { _ in }
    }

    private func holders() async throws -> [String] {
        let keys = [Partition(of: "alice"), Partition(of: room)].map { observer.keys.holders($0).name }
        return [try await redis.cli("SMEMBERS", keys[0]), try await redis.cli("SMEMBERS", keys[1])]
    }

    @Test func `what is on its way when Redis comes back empty puts the node there again, so that its end is seen`()
        async throws
    {
        _ = try await withCheckedThrowingContinuation { continuation in
            connect("c1") { continuation.resume(with: $0) }
        }
        #expect(try await holders() == ["", ""])
        redis.pause()
        let answer = observer.link.eventLoop.makePromise(of: Connect.Answer.self)
        connect("c2") { answer.completeWith($0.mapError { $0 as any Error }) }
        // Behind the calls on the loop: they are on the wire.
        try await observer.link.eventLoop.submit {}.get()
        redis.kill9()
        try redis.restart(keepingData: false)
        #expect(try await answer.futureResult.get().isRegistered)
        try await eventually("both holders") { try await holders() == ["n1:5", "n1:5"] }
    }

    @Test func `a room that was joined under an incarnation which the user's partition had fenced is joined again`()
        async throws
    {
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk())
        let keys = observer.keys
        try #require(Partition(of: "alice") != Partition(of: room))
        let own = Partition(of: "alice")
        let fence = Int64(Date.now.timeIntervalSince1970 * 1000) + 60_000
        _ = try await observer.link.send(["HSET", .string(keys.fence(own).name), "n1", .integer(fence)])
        node.presence.connect(PresenceConnection(id: "c1", userId: alice, address: ""), resuming: nil) { _ in }
        try await node.join("r", "c1")
        try await eventually("the room under the new incarnation alone") {
            let holders = try await redis.cli("SMEMBERS", keys.holders(Partition(of: room)).name)
            let record = try await redis.cli("HGET", keys.members(room).name, "alice")
            let numbers = holders.split(separator: "\n").compactMap { Int64($0.dropFirst(3)) }
            return numbers.count == 1 && numbers.allSatisfy { $0 > fence && record.hasSuffix("n1:\($0)") }
        }
        try await node.stop()
    }
}
