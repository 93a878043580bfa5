import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import Synchronization
import TestKit
import Testing

/// Rooms whose messages a backend's own workers share out, and whose messages webhooks tell of.
@Suite("Messages for a backend's own consumers")
struct WebhookConsumerFaults {
    private func rules() throws -> RoomRules {
        var rule = RoomRule(
            pattern: try #require(RoomPattern("order-*")), log: LogLimits(size: 100, age: .seconds(60)))
        rule.isStreamed = true
        rule.tellsMessages = true
        return RoomRules(rules: [rule])
    }

    @Test("an entry of the stream has the documented fields, the payload as it was sent; other rooms have none")
    func fields() async throws {
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

    @Test("where a receiver is configured, the ledger is told of each message once, a repeat by its key included")
    func told() async throws {
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
        try await eventually("the post") {
            backend.eventLedger.posts().contains { $0.partition == Partition(of: room).number }
        }
        let post = try #require(backend.eventLedger.posts().first { $0.partition == Partition(of: room).number })
        let batch = try #require(try await backend.eventLedger.gather(post, for: receiver))
        #expect(batch.events.map(\.type) == ["message.published"])
        #expect(batch.events[0].userId == "alice" && batch.events[0].message?.payload == Array("[1]".utf8))
        running.cancel()
    }

    @Test("two workers share the messages out; one is killed, and each message is done once, in order for its room")
    func workers() async throws {
        let fixture = try RedisFixture(rules: try rules())
        try await fixture.withBackends([nil]) { backends in
            let done = Mutex<[(worker: String, room: String, seq: Int)]>([])
            let note: @Sendable (String, String, Int) -> Void = { worker, room, seq in
                done.withLock { $0.append((worker, room, seq)) }
            }
            let rooms = (0..<20).map { RoomName(unchecked: "order-\($0)") }
            let publishing = Task {
                for _ in 0..<30 {
                    for room in rooms { _ = try await backends[0].messageLog.publish(Publication(room, "1")) }
                }
            }
            // The first dies with a message done and not acknowledged, and with others that it was only given.
            let observers = [try Observer(fixture.redis), try Observer(fixture.redis)]
            let first = Worker(name: "one", link: observers[0].link, done: note)
            let second = Worker(name: "two", link: observers[1].link, done: note)
            let dying = Task { try await first.work(until: 150) }
            let living = Task { try await second.work(until: .max) }
            try await dying.value
            try await publishing.value
            try await eventually("all messages to be done") {
                Set(done.withLock { $0 }.map { "\($0.room) \($0.seq)" }).count == 600
            }
            living.cancel()
            _ = await living.result
            withExtendedLifetime(observers) {}
            let all = done.withLock { $0 }
            // What the dead worker had done and not acknowledged is done again, and nothing else is.
            #expect(all.count <= 601)
            #expect(Set(all.map(\.worker)) == ["one", "two"])
            for room in rooms {
                let sequence = all.filter { $0.room == room.string }.map(\.seq)
                #expect(sequence == sequence.sorted(), "\(room)")
            }
        }
    }
}

/// The README's worker: takes a partition by a lease, does what a dead worker left there first, then what is new.
private struct Worker: Sendable {
    let name: String
    let link: RedisCommandLink
    let done: @Sendable (_ worker: String, _ room: String, _ seq: Int) -> Void

    /// Ends as if killed once it has done so many messages: the last one is not acknowledged.
    func work(until limit: Int) async throws {
        var count = 0
        for partition in Partition.all {
            let stream = RedisArgument.string(Keys(prefix: "m").messages(partition).name)
            // Another worker was first where this fails.
            _ = try? await link.send(["XGROUP", "CREATE", stream, "workers", "0", "MKSTREAM"])
        }
        while !Task.isCancelled {
            for partition in Partition.all {
                let stream = Keys(prefix: "m").messages(partition).name
                guard try await holds("\(stream):worker") else { continue }
                let left = try await link.send([
                    "XAUTOCLAIM", .string(stream), "workers", .string(name), "0", "0", "COUNT", 10,
                ])
                var batch = left[1]
                if batch.count == 0 {
                    batch = try await link.send([
                        "XREADGROUP", "GROUP", "workers", .string(name), "COUNT", 10, "STREAMS", .string(stream), ">",
                    ])[0][1]
                }
                for entry in batch.array ?? [] {
                    guard try await holds("\(stream):worker") else { break }
                    done(name, entry[1][1].string ?? "", Int(entry[1][3].integer ?? 0))
                    count += 1
                    if count >= limit { return }
                    _ = try await link.send(["XACK", .string(stream), "workers", .string(entry[0].string ?? "")])
                }
            }
        }
    }

    /// Takes or renews the lease of a partition.
    private func holds(_ lease: String) async throws -> Bool {
        let taken = try await link.send(["SET", .string(lease), .string(name), "NX", "GET", "PX", 500])
        if taken.isNull { return true }
        guard taken.string == name else { return false }
        return try await link.send(["PEXPIRE", .string(lease), 500]).integer == 1
    }
}

extension Backend {
    /// Without a listener for anything.
    fileprivate convenience init(configuration: Configuration) {
        self.init(
            configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 0, rooms: 0, processor: 0) })
    }
}
