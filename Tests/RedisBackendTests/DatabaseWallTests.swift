import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Two deployments on one Redis, which knows no databases where messages are published.
@Suite("Databases and prefixes of one Redis")
struct DatabaseWallTests {
    struct Place: Sendable, CustomTestStringConvertible {
        let database: Int
        let prefix: String
        var testDescription: String { "\(prefix) in database \(database)" }
    }

    private static let pairs: [(Place, Place)] = [
        (Place(database: 0, prefix: "m"), Place(database: 1, prefix: "m")),
        (Place(database: 1, prefix: "m"), Place(database: 0, prefix: "m")),
        (Place(database: 1, prefix: "m"), Place(database: 11, prefix: "m")),
        (Place(database: 11, prefix: "m"), Place(database: 1, prefix: "m1")),
        (Place(database: 1, prefix: "m"), Place(database: 0, prefix: "m-1")),
        (Place(database: 0, prefix: "m"), Place(database: 0, prefix: "m1")),
    ]

    @Test(arguments: pairs)
    func `nothing that is sent in one is heard in the other`(one: Place, other: Place) async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--databases", "16"]
        let places = [one, other]
        try await RedisFixture(options).withBackends(
            [nil, nil],
            configure: { index, configuration in
                configuration.redis.database = places[index].database
                configuration.prefix = places[index].prefix
                // What goes over a node's own channels would meet, too.
                configuration.nodeId = "node"
            }
        ) { backends in
            let (alice, carol) = (UserID(unchecked: "alice"), UserID(unchecked: "carol"))
            let inbox = RoomName(inboxOf: carol)
            let sinks = [RecordingSink(), RecordingSink()]
            for (backend, sink) in zip(backends, sinks) {
                let hub = backend.streams.open(sink)
                try await backend.connect("c1", alice)
                try await backend.join(room, "c1")
                backend.streams.follow(room, ticket: 1, hub: hub)
                backend.streams.follow(.everyone, ticket: 2, hub: hub)
                backend.streams.follow(inbox, ticket: 3, hub: hub)
                backend.streams.watch([carol], ticket: 4, hub: hub)
                for ticket in FollowTicket(1)...4 { try await eventually { sink.hasAnswer(to: ticket) } }
            }

            let speaker = backends[0]
            try await speaker.connect("c2", carol)
            try await speaker.join(room, "c2")
            for target in [room, .everyone, inbox] {
                _ = try await speaker.messageLog.publish(Publication(target, "\"from the one\""))
            }
            try await speaker.signal(Signal(room: room, from: alice, to: carol, payload: Array("1".utf8)), "c1")
            _ = try await speaker.presenceDirectory.disconnect(alice, code: 4403, reason: "out")
            try await eventually("the speaker's own") {
                sinks[0].messages.count == 3 && sinks[0].statuses.count == 1
                    && sinks[0].deliveries.contains { if case .close("c1", _, _) = $0 { true } else { false } }
                    && sinks[0].deliveries.contains { if case .signal = $0 { true } else { false } }
            }

            // What Redis hands out after all that comes after all that.
            let heard = sinks[1].deliveries.count
            _ = try await backends[1].messageLog.publish(Publication(room, "\"from the other\""))
            try await eventually("the listener's own") { !sinks[1].messages.isEmpty }
            #expect(sinks[1].messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["\"from the other\""])
            #expect(sinks[1].deliveries.count == heard + 1, "\(sinks[1].deliveries)")
        }
    }
}

extension Backend {
    fileprivate func connect(_ id: String, _ user: UserID) async throws {
        _ = try await withCheckedThrowingContinuation { continuation in
            presence.connect(PresenceConnection(id: id, userId: user, address: ""), resuming: nil) {
                continuation.resume(with: $0)
            }
        }
    }

    fileprivate func join(_ room: RoomName, _ id: String) async throws {
        _ = try await withCheckedThrowingContinuation { continuation in
            presence.join(room, connection: id, info: Array("{}".utf8)) { continuation.resume(with: $0) }
        }
    }

    fileprivate func signal(_ signal: Signal, _ id: String) async throws {
        try await withCheckedThrowingContinuation { continuation in
            presence.signal(signal, connection: id) { continuation.resume(with: $0) }
        }
    }
}
