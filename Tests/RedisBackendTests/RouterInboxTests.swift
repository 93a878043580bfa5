import Foundation
import GatewayCore
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("Inboxes")
struct RouterInboxTests {
    private let keys = Keys(prefix: "m")
    private let user = UserID(unchecked: "auth0|7 ü")
    private var inbox: RoomName { RoomName(inboxOf: user) }

    /// Registers connections as the presence scripts write them.
    private func register(_ fixture: RedisFixture, _ connections: [String: String]) async throws {
        for (connection, holder) in connections {
            let record = "\(holder) 1700000000000 ::1 s -"
            _ = try await fixture.redis.cli("HSET", keys.connections(of: user).name, connection, record)
        }
        _ = try await fixture.redis.cli(
            "ZADD", keys.online(Partition(of: user.string)).name, "1700000000000", user.string)
    }

    @Test func `a message goes to just the nodes that hold the user, once to each, and says who was reached`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil, nil]) { backends in
            let nobody = try await backends[0].messageLog.publish(Publication(inbox, "0"))
            #expect(nobody.reach == Reach(isOnline: false, connections: 0) && nobody.position.seq == 1)
            try await register(
                fixture, ["c1": "node-0:5", "c2": "node-0:5", "c3": "node-1:7", "c4": "~lost", "c5": "node-9:1"])
            let sinks = (0..<3).map { _ in RecordingSink() }
            for (backend, sink) in zip(backends, sinks) {
                backend.streams.follow(inbox, ticket: 1, hub: backend.streams.open(sink))
            }
            try await eventually { sinks.allSatisfy { $0.position(of: 1)?.seq == 1 } }
            let published = try await backends[2].messageLog.publish(Publication(inbox, #"{"a": 1}"#))
            #expect(published.reach == Reach(isOnline: true, connections: 4))
            try await eventually { sinks[0].sequence == [2] && sinks[1].sequence == [2] }
            let message = try #require(sinks[0].messages.first)
            #expect(message.room == inbox && String(decoding: message.payload, as: UTF8.self) == #"{"a": 1}"#)
            // Whoever was not told by the channel is not there: it asks the log when it comes.
            #expect(sinks[2].sequence.isEmpty)
            let mark = DedupeMark(owner: .api, key: "k")
            let first = try await backends[2].messageLog.publish(Publication(inbox, "1", dedupe: mark))
            let again = try await backends[2].messageLog.publish(Publication(inbox, "1", dedupe: mark))
            #expect(first == again && first.reach?.connections == 4)
        }
    }

    @Test func `a hole in an inbox is filled from its log, and what came before is there for a position`() async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            for _ in 1...4 { _ = try await backends[0].messageLog.publish(Publication(inbox, "0")) }
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(inbox, since: ClientPosition(epoch: nil, seq: 2), ticket: 1, hub: hub)
            try await eventually { sink.sequence == [3, 4] }
            // Stored while the registry named no node: nobody is told.
            for _ in 5...6 { _ = try await backends[0].messageLog.publish(Publication(inbox, "0")) }
            try await register(fixture, ["c1": "node-0:5"])
            _ = try await backends[0].messageLog.publish(Publication(inbox, "0"))
            try await eventually { sink.sequence == Array(3...7) }
            #expect(sink.gaps.isEmpty)
        }
    }

    @Test func `closes and signals reach every hub of the node`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sinks = [RecordingSink(), RecordingSink()]
            for sink in sinks { _ = backends[0].streams.open(sink) }
            let signal = Signal(room: room, from: user, to: user, payload: Array("[1]".utf8))
            for (partition, bytes) in [
                (0, NodeMessage.close("c1", .forbidden, text: "out")), (63, NodeMessage.encode(signal)),
            ] {
                let channel = keys.node("node-0", in: Partition(number: partition)).name
                _ = try await fixture.redis.cli("PUBLISH", channel, String(decoding: bytes, as: UTF8.self))
            }
            for sink in sinks { try await eventually { sink.deliveries.count == 2 } }
            for sink in sinks {
                guard case .close("c1", .forbidden, "out") = sink.deliveries[0],
                    case .signal(signal) = sink.deliveries[1]
                else {
                    Issue.record("something else came")
                    return
                }
            }
        }
    }

    @Test func `what came while Redis had forgotten the user's connection is there once it is registered again`()
        async throws
    {
        let redis = try RedisServerProcess()
        var settings = PresenceSettings()
        settings.renewal = .milliseconds(200)
        settings.comparison = .milliseconds(100)
        let node = try await PresenceNode.start("node-0", on: redis, settings: settings)
        _ = try await node.connect("c1", user.string)
        // The node's first hub is there from its start.
        node.backend.streams.follow(inbox, ticket: 1, hub: 0)
        try await eventually { node.sink.hasAnswer(to: 1) }

        let partition = Partition(of: user.string)
        for holder in try await redis.cli("SMEMBERS", keys.holders(partition).name).split(separator: "\n") {
            _ = try await redis.cli("DEL", "m:\(partition.tag):node:\(holder)")
        }
        _ = try await redis.cli("DEL", keys.connections(of: user).name)
        let published = try await node.backend.messageLog.publish(Publication(inbox, "0"))
        #expect(published.reach?.connections == 0)
        try await eventually { node.sink.sequence == [1] }
        try await node.stop()
    }

    @Test func `ten thousand idle inboxes cost little memory`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = CountingSink()
            let hub = backends[0].streams.open(sink)
            func follow(_ range: Range<Int>) async throws -> Int {
                for index in range {
                    backends[0].streams.follow(
                        RoomName(inboxOf: UserID(unchecked: "user-\(index)")), ticket: FollowTicket(index), hub: hub)
                }
                try await eventually { sink.count >= range.upperBound }
                // A room is left some time after its last listener has gone: by then nothing is under way any more.
                backends[0].streams.follow(room, ticket: 0, hub: hub)
                try await eventually { try await fixture.redis.cli("PUBSUB", "CHANNELS").contains(room.string) }
                backends[0].streams.unfollow(room, hub: hub)
                try await eventually { try await !fixture.redis.cli("PUBSUB", "CHANNELS").contains(room.string) }
                return try resident()
            }
            // What grows only once is in place before the measurement.
            let before = try await follow(0..<10_000)
            let grown = try await follow(10_000..<20_000) - before
            print("An idle inbox: about \(grown / 10_000) bytes")
        }
    }

    /// Bytes of memory that this process has.
    private func resident() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }
}

/// A hub that only counts what it is told.
private final class CountingSink: StreamSink {
    private let deliveries = Mutex(0)

    var count: Int { deliveries.withLock { $0 } }

    func receive(_ deliveries: [StreamDelivery]) {
        self.deliveries.withLock { $0 += deliveries.count }
    }
}
