import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Rooms whose log goes back behind what was delivered; one after the other, since each waits for time to pass.
@Suite("The streams of rooms over a Redis that forgets", .serialized)
struct RouterForkFaults {
    private let amy = UserID(unchecked: "amy")

    @Test func `after FLUSHDB the first message of the new epoch reaches everybody, behind a gap`() async throws {
        let redis = try RedisServerProcess()
        let settings = PresenceSettings()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let nodes = [
            try await PresenceNode.start("node-0", on: redis, settings: settings, loop: loop),
            try await PresenceNode.start("node-1", on: redis, settings: settings, loop: loop),
        ]
        let rooms = [room, .everyone, RoomName(inboxOf: amy)]
        var sinks: [RoomName: [RecordingSink]] = [:]
        for (number, node) in nodes.enumerated() {
            try await node.connect("c\(number)", "amy")
            for name in rooms {
                let sink = RecordingSink()
                sinks[name, default: []].append(sink)
                node.backend.streams.follow(name, ticket: 1, hub: node.backend.streams.open(sink))
                try await eventually { sink.position(of: 1) != nil }
            }
        }
        for name in rooms {
            for text in ["a", "b", "c"] { _ = try await nodes[0].backend.messageLog.publish(Publication(name, text)) }
        }
        for sink in sinks.values.joined() { try await eventually { sink.sequence == [1, 2, 3] } }

        _ = try await redis.cli("FLUSHDB")
        for name in rooms {
            let first = try await nodes[1].backend.messageLog.publish(Publication(name, "first"))
            #expect(first.position.seq == 1)
        }
        for (name, sink) in rooms.flatMap({ name in (sinks[name] ?? []).map { (name, $0) } }) {
            try await eventually("the first message in \(name)") { sink.sequence.count == 4 }
            #expect(sink.gaps.last?.seq == 0 && sink.gaps.count == 1, "\(name): \(sink.gaps)")
            #expect(sink.texts == ["a", "b", "c", "first"], "\(name)")
            #expect(sink.deliveries.lastIndex(where: \.isGap) ?? .max < sink.deliveries.count - 1)
        }
        for node in nodes { try await node.stop() }
    }

    @Test func `an older snapshot costs a gap at its end, and nothing that is acknowledged after it`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let sinks = backends.map { _ in RecordingSink() }
            for (backend, sink) in zip(backends, sinks) {
                backend.streams.follow(room, ticket: 1, hub: backend.streams.open(sink))
                try await eventually { sink.position(of: 1) != nil }
            }
            for text in ["a", "b", "c"] { _ = try await backends[0].messageLog.publish(Publication(room, text)) }
            _ = try await fixture.redis.cli("SAVE")
            for text in ["d", "e"] { _ = try await backends[0].messageLog.publish(Publication(room, text)) }
            for sink in sinks { try await eventually { sink.sequence.last == 5 } }

            fixture.redis.kill9()
            try fixture.redis.restart(keepingData: true)
            let first = try await backends[1].messageLog.publish(Publication(room, "first"))
            #expect(first.position.seq == 4)
            for sink in sinks {
                try await eventually { sink.texts.last == "first" }
                #expect(sink.texts == ["a", "b", "c", "d", "e", "first"])
                #expect(sink.gaps == [Position(epoch: first.position.epoch, seq: 3)])
            }
        }
    }

    @Test func `a primary that was demoted, rolled back and promoted again keeps nothing back`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        let port = try #require(pair.replica.port)
        try await RedisFixture().withBackends(pair.urls) { backends in
            let sinks = backends.map { _ in RecordingSink() }
            for (backend, sink) in zip(backends, sinks) {
                backend.streams.follow(room, ticket: 1, hub: backend.streams.open(sink))
                try await eventually { sink.position(of: 1) != nil }
            }
            _ = try await backends[0].messageLog.publish(Publication(room, "o1"))
            try await pair.caughtUp()
            try await pair.promote()
            for number in 2...6 { _ = try await backends[0].messageLog.publish(Publication(room, "o\(number)")) }
            for sink in sinks { try await eventually { sink.sequence.last == 6 } }

            _ = try await pair.primary.cli("REPLICAOF", "127.0.0.1", "\(port)")
            try await eventually("the old primary's sync") {
                try await pair.primary.cli("INFO", "replication").contains("master_link_status:up")
            }
            _ = try await pair.primary.cli("REPLICAOF", "NO", "ONE")
            for number in 1...7 {
                let stored = try await backends[1].messageLog.publish(Publication(room, "n\(number)"))
                #expect(stored.position.seq == number + 1)
            }
            for sink in sinks {
                try await eventually("the last") { sink.texts.last == "n7" }
                #expect(sink.texts.suffix(7) == (1...7).map { "n\($0)" })
                #expect(sink.gaps.map(\.seq) == [1])
            }
        }
        try await pair.stop()
    }
}

extension RecordingSink {
    /// The payloads of the messages that came, in order.
    fileprivate var texts: [String] { messages.map { String(decoding: $0.payload, as: UTF8.self) } }
}

extension StreamDelivery {
    fileprivate var isGap: Bool {
        if case .gap = self { true } else { false }
    }
}
