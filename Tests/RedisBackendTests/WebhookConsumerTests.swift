import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Rooms whose messages a backend's own workers share out, and whose messages webhooks tell of.
@Suite("Messages for a backend's own consumers")
struct WebhookConsumerTests {
    private func rules() throws -> RoomRules {
        var rule = RoomRule(
            pattern: try #require(RoomPattern("order-*")), log: LogLimits(size: 100, age: .seconds(60)))
        rule.isStreamed = true
        rule.tellsMessages = true
        return RoomRules(rules: [rule])
    }

    @Test func `an entry of the stream has the documented fields, the payload as it was sent; other rooms have none`()
        async throws
    {
        let fixture = try RedisFixture(rules: try rules())
        try await fixture.withBackends([nil]) { backends in
            let room = RoomName(unchecked: "order-1")
            let payload = #"{ "n" : 1.50, "u" : "é" }"#
            let published = try await backends[0].messageLog.publish(Publication(room, payload))
            _ = try await backends[0].messageLog.publish(Publication(RoomName(unchecked: "lesson-1"), "1"))
            let observer = try Observer(fixture.redis)
            let link = observer.link
            let stream = Keys(prefix: "m").messages(Partition(of: room)).name
            let entries = try await link.send(["XRANGE", .string(stream), "-", "+"])
            #expect(entries.count == 1)
            let fields = (entries[0][1].array ?? []).compactMap(\.string)
            #expect(
                fields == [
                    "roomId", "order-1", "seq", "1", "epoch", published.position.epoch, "userId", "alice", "msgType",
                    "1", "payload", payload, "timestamp", "\(published.timestamp)",
                ])
            let others = Keys(prefix: "m").messages(Partition(of: RoomName(unchecked: "lesson-1"))).name
            #expect(try await link.send(["EXISTS", .string(others)]).integer == 0)
            // There is no receiver, so the ledger is not told.
            let events = Keys(prefix: "m").events(Partition(of: room)).name
            #expect(try await link.send(["EXISTS", .string(events)]).integer == 0)
        }
    }

    @Test func `where a receiver is configured, the ledger is told of each message once, a repeat by its key included`()
        async throws
    {
        let redis = try RedisServerProcess()
        let rules = try rules()
        var configuration = Backend.Configuration(
            redis: try RedisConfiguration(url: redis.url), nodeId: "a", version: "0.0.0", rules: rules)
        configuration.receivers = [WebhookReceiver(name: "hook-a", url: "http://a", types: nil)]
        let backend = Backend(configuration: configuration)
        let running = Task { try await backend.run() }
        try await eventually { backend.problem == nil }
        let room = RoomName(unchecked: "order-1")
        let mark = DedupeMark(owner: .user(UserID(unchecked: "alice")), key: "k")
        for _ in 0..<2 { _ = try await backend.messageLog.publish(Publication(room, "[1]", dedupe: mark)) }
        let receiver = configuration.receivers[0]
        try await eventually("the assignment") {
            backend.eventLedger.assignments().contains { $0.partition == Partition(of: room).number }
        }
        let assignment = try #require(
            backend.eventLedger.assignments().first { $0.partition == Partition(of: room).number })
        let batch = try #require(try await backend.eventLedger.gather(assignment, for: receiver))
        #expect(batch.events.map(\.type) == ["message.published"])
        #expect(batch.events[0].userId == "alice" && batch.events[0].message?.payload == Array("[1]".utf8))
        running.cancel()
    }
}

extension Backend {
    /// Without a listener for anything.
    fileprivate convenience init(configuration: Configuration) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.init(
            configuration: configuration, eventLoop: loop, life: loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 0, rooms: 0, processor: 0) })
    }
}
