import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A Redis that takes no writes just now: it has too few replicas, its disk has failed it, or it is full.
@Suite("Reading where nothing may be written", .serialized)
struct RefusedWriteFaults {
    @Test(arguments: RedisRefusal.ofWrites) func `what only reads goes on`(refusal: RedisRefusal) async throws {
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
        guard case .claimed(let token) = claim else { throw NeverHappened(description: "no token: \(claim)") }
        try await refusal.begin(at: redis)
        await #expect(throws: CallError.self) { try await store.call(message) }
        #expect(try await store.read(history).messages.count == 1)
        for (position, seq) in zip(positions, [1, 0]) { #expect(try await store.read(position).head.seq == seq) }
        _ = try await store.call(ReadStates(of: [user], in: own))
        _ = try await store.call(ReadHeads(of: [room], in: rooms))
        _ = try await store.call(ReadPage(of: store.keys.online(own), limit: 5, after: nil))
        _ = try await store.call(ScanMembers(store.keys.members(room), from: 0, about: 5))
        let span = RoomSpan(prefix: "r", isWithoutForeign: true)
        _ = try await store.call(ReadSpan(of: store.keys.rooms(own), in: span, portion: 5, after: nil))
        _ = try await store.call(ReadBacklog(of: "w", in: own))
        _ = try await store.call(Look(at: own, token: token, latest: 1))
        _ = try await store.call(
            Compare([.user(user, connection: "c", session: SessionID(of: user))], in: own, holder: holder))
        _ = try await store.call(Admit(user, issuedAt: 1))
        _ = try await store.call(ReadBans())
    }
}
