import GatewayCore
import Logging
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

@Suite("What workers of the archive do in Redis")
struct ArchiveStreamsTests {
    private static let room = "kept"
    private static let partition = Partition(of: room)
    private static let key = "m:\(partition.tag):messages"

    private static func streams(_ redis: RedisServerProcess, rules: RoomRules = RoomRules()) throws -> ArchiveStreams {
        let configuration = Backend.Configuration(
            redis: try RedisConfiguration(url: redis.url), nodeId: "a", version: "0.0.0", rules: rules)
        let streams = ArchiveStreams(
            configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), onState: { _ in })
        streams.start()
        return streams
    }

    private static func fill(_ redis: RedisServerProcess, _ seqs: ClosedRange<Int>) async throws {
        for seq in seqs {
            _ = try await redis.cli(
                "XADD", key, "*", "roomId", room, "seq", "\(seq)", "epoch", "e", "userId", "alice", "msgType", "7",
                "payload",
                "{\"n\":\(seq)}", "timestamp", "1700000000000", "later", "field")
        }
    }

    private static func take(
        _ streams: ArchiveStreams, above floor: Int64 = 0, limit: Int = 100, isRepeat: Bool = false
    ) async throws -> TakeForArchive.Taken? {
        switch try await streams.take(partition, above: floor, limit: limit, isRepeat: isRepeat) {
        case .held: nil
        case .taken(let taken): taken
        }
    }

    @Test func `a partition is one worker's, whose end gives what it had to the next, under a higher token`()
        async throws
    {
        let redis = try RedisServerProcess()
        let (first, second) = (try Self.streams(redis), try Self.streams(redis))
        #expect(try await Self.take(first)?.entries.isEmpty == true)
        try await Self.fill(redis, 1...5)
        let taken = try #require(try await Self.take(first, limit: 3))
        #expect(taken.entries.compactMap(\.message?.seq) == [1, 2, 3])
        #expect(
            taken.entries[0].message
                == ArchivedMessage(
                    room: "kept", epoch: "e", seq: 1, userId: "alice", msgType: 7, payload: Array("{\"n\":1}".utf8),
                    sentAt: 1_700_000_000_000))
        #expect(taken.left == 5)
        #expect(!taken.isRepeat)
        #expect(try await Self.take(second) == nil)
        #expect(try await first.keep(Self.partition, token: taken.token))
        #expect(try await !second.keep(Self.partition, token: taken.token))
        #expect(try await first.settle([taken.entries[0].id], of: Self.partition) == 4)
        try await first.release(Self.partition, token: taken.token)
        let again = try #require(try await Self.take(second))
        #expect(again.token > taken.token)
        #expect(again.entries.compactMap(\.message?.seq) == [2, 3])
        #expect(again.isRepeat)
        #expect(try await second.settle(again.entries.map(\.id), of: Self.partition) == 2)
        let rest = try #require(try await Self.take(second, isRepeat: true))
        #expect(rest.entries.compactMap(\.message?.seq) == [4, 5])
        #expect(!rest.isRepeat)
        await first.shutdown()
        await second.shutdown()
    }

    @Test func `a lease ends by itself, and a token is above what the database knows`() async throws {
        let redis = try RedisServerProcess()
        let (first, second) = (try Self.streams(redis), try Self.streams(redis))
        try await Self.fill(redis, 1...2)
        let taken = try #require(try await Self.take(first))
        try await eventually("the end of the lease") { try await Self.take(second) != nil }
        let mine = try #require(try await Self.take(second))
        #expect(mine.token > taken.token)
        // An hour ahead of Redis's clock, which the token goes by else.
        let higher = try #require(try await Self.take(second, above: mine.token + 3_600_000))
        #expect(higher.token == mine.token + 3_600_001)
        #expect(higher.entries.compactMap(\.message?.seq) == [1, 2])
        await first.shutdown()
        await second.shutdown()
    }

    @Test func `a stream keeps what is not archived, and for other consumers what it would without`() async throws {
        let redis = try RedisServerProcess()
        var streamed = RoomRule(
            pattern: try #require(RoomPattern("own-*")), log: LogLimits(size: 10, age: .seconds(60)))
        streamed.isStreamed = true
        var rules = RoomRules(rules: [streamed])
        rules.streamSize = 150
        let streams = try Self.streams(redis, rules: rules)
        try await Self.fill(redis, 1...450)
        let taken = try #require(try await Self.take(streams, limit: 50))
        #expect(try await streams.settle(taken.entries.map(\.id), of: Self.partition) == 400)
        #expect((400...450).contains(Int(try await redis.cli("XLEN", Self.key)) ?? 0))
        while let more = try await Self.take(streams, limit: 200), !more.entries.isEmpty {
            _ = try await streams.settle(more.entries.map(\.id), of: Self.partition)
        }
        #expect((150...250).contains(Int(try await redis.cli("XLEN", Self.key)) ?? 0))
        await streams.shutdown()
    }

    @Test func `workers share the partitions, and one that says nothing counts no more`() async throws {
        let redis = try RedisServerProcess()
        let workers = try (0..<3).map { _ in try Self.streams(redis) }
        #expect(try await workers[0].share() == 64)
        // On a busy machine one may be forgotten before the next comes.
        try await eventually("three at work") {
            _ = try await (workers[0].share(), workers[1].share())
            return try await workers[2].share() == 22
        }
        try await workers[1].leave()
        try await eventually("two at work") {
            _ = try await workers[2].share()
            return try await workers[0].share() == 32
        }
        try await eventually("the others to be forgotten", within: .seconds(20)) { try await workers[0].share() == 64 }
        for worker in workers { await worker.shutdown() }
    }

    @Test func `the epochs and the log of a room are read as nodes write them`() async throws {
        let fixture = try RedisFixture()
        let streams = try Self.streams(fixture.redis)
        let room = RoomName(unchecked: Self.room)
        #expect(try await streams.course(of: room) == nil)
        try await fixture.withBackends([nil]) { backends in
            for number in 1...3 {
                _ = try await backends[0].messageLog.publish(
                    Publication(room: room, userId: .system, payload: Array("\(number)".utf8)))
            }
        }
        let course = try #require(try await streams.course(of: room))
        #expect(course.stretches.map { [$0.from, $0.to] } == [[1, 3]])
        let page = try await streams.log(of: room, after: 1)
        #expect(page.messages.map(\.seq) == [2, 3])
        #expect(page.head.epoch == course.present)
        await streams.shutdown()
    }
}
