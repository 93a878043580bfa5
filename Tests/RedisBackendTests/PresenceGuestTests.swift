import GatewayCore
import RedisBackend
import TestKit
import TestSupport
import Testing

@Suite("Guests over nodes")
struct PresenceGuestTests {
    private let room = RoomName(unchecked: "news")

    private func guests(_ count: Int, on node: PresenceNode, named name: String = "g") {
        for number in 0..<count {
            node.presence.connectVisitor("\(name)\(number)")
            node.presence.attend(room, connection: "\(name)\(number)")
        }
    }

    private func connections(by node: PresenceNode) async throws -> Int {
        try await node.directory.room(room)?.connections ?? 0
    }

    @Test func `a thousand are counted on every node, for a few calls, and the last to go leaves nothing`() async throws
    {
        try await withNodes(2) { redis, nodes in
            guests(1000, on: nodes[0])
            try await eventually("all of them") { try await connections(by: nodes[1]) == 1000 }
            let listed = try await nodes[1].directory.rooms(limit: 10, cursor: nil)
            #expect(listed.rooms == [room])
            #expect(try await nodes[1].directory.room(room)?.members == 0)
            #expect(try await nodes[1].directory.users(limit: 10, cursor: nil).total == 0)
            for number in 0..<1000 { nodes[0].presence.disconnect("g\(number)", .farewell(.closed)) }
            let observer = try Observer(redis)
            let told = ["room.occupied  news", "room.vacated  news closed"]
            try await eventually("its end") { try await observer.texts() == told }
            #expect(try await connections(by: nodes[1]) == 0)
        }
    }

    @Test func `those of a killed node are gone once its lease is over, which is told once`() async throws {
        try await withNodes(3) { redis, nodes in
            guests(300, on: nodes[0])
            guests(1, on: nodes[1], named: "h")
            try await eventually("all of them") { try await connections(by: nodes[2]) == 301 }
            try await nodes[0].kill()
            try await eventually("those that live") { try await connections(by: nodes[2]) == 1 }
            let observer = try Observer(redis)
            #expect(try await observer.texts() == ["room.occupied  news"])
            try await nodes[1].kill()
            let told = ["room.occupied  news", "room.vacated  news node_lost"]
            try await eventually("its end") { try await observer.texts() == told }
            #expect(try await connections(by: nodes[2]) == 0)
        }
    }

    @Test func `who comes back elsewhere within the grace keeps the room, who does not gives it up`()
        async throws
    {
        try await withNodes(2) { redis, nodes in
            let observer = try Observer(redis)
            guests(1, on: nodes[0])
            try await eventually("it") { try await connections(by: nodes[1]) == 1 }
            nodes[0].presence.disconnect("g0", .abrupt(.lost))
            guests(1, on: nodes[1], named: "h")
            try await eventually("the other") {
                let guests = try await observer.store.send(.field("guests", of: observer.keys.head(room)))
                return guests.map { GuestWords($0).count == 1 && !$0.contains("~") } ?? false
            }
            #expect(try await observer.texts() == ["room.occupied  news"])
            nodes[1].presence.disconnect("h0", .abrupt(.lost))
            let told = ["room.occupied  news", "room.vacated  news lost"]
            try await eventually("its end") { try await observer.texts() == told }
        }
    }

    @Test func `a number that was left untold by a node that is killed is told all the same`() async throws {
        var settings = PresenceSettings.brisk()
        settings.counting = { _ in RoomCounting(isToldSubscribers: false, isNoted: true) }
        try await withNodes(2, settings: settings) { redis, nodes in
            let events = Keys(prefix: "m").events(Partition(of: room)).name
            @Sendable func isNoted(_ count: Int) async throws -> Bool {
                try await redis.cli("XREVRANGE", events, "+", "-").contains(#"{"subscription_count":\#(count)}"#)
            }
            guests(140, on: nodes[1])
            guests(10, on: nodes[0], named: "h")
            try await eventually("all of them") { try await isNoted(150) }
            for number in 0..<10 { nodes[0].presence.disconnect("h\(number)", .farewell(.closed)) }
            try await eventually("their end") { try await connections(by: nodes[1]) == 140 }
            try await nodes[0].kill()
            #expect(try await !isNoted(140))
            try await eventually("the number") { try await isNoted(140) }
        }
    }

    @Test func `who comes for a room's last message and finds none is told of behind the room's being occupied`()
        async throws
    {
        try await withNodes(1) { redis, nodes in
            let observer = try Observer(redis)
            nodes[0].presence.connectVisitor("g")
            nodes[0].presence.attend(room, connection: "g")
            nodes[0].presence.noteMiss(in: room)
            try await eventually("both") { try await observer.texts().count == 2 }
            #expect(try await observer.texts() == ["room.occupied  news", "room.missed  news"])
        }
    }

    @Test func `a room that the grace of a guest alone holds is occupied for whoever asks, and then is not`()
        async throws
    {
        try await withNodes(2, settings: .brisk(grace: .seconds(2))) { _, nodes in
            guests(1, on: nodes[0])
            try await eventually("it") { try await connections(by: nodes[1]) == 1 }
            nodes[0].presence.disconnect("g0", .abrupt(.lost))
            try await eventually("its grace") {
                let record = try await nodes[1].directory.room(room)
                return record?.connections == 0 && record?.isOccupied == true
            }
            #expect(try await nodes[1].directory.rooms(limit: 10, cursor: nil).rooms == [room])
            try await eventually("its end") { try await nodes[1].directory.room(room) == nil }
            #expect(try await nodes[1].directory.rooms(limit: 10, cursor: nil).rooms == [])
        }
    }

    @Test func `an emptied Redis, and a head that somebody deletes, know them again`() async throws {
        var settings = PresenceSettings.brisk()
        settings.comparison = .milliseconds(10)
        settings.renewal = .milliseconds(640)
        try await withNodes(2, settings: settings) { redis, nodes in
            guests(5, on: nodes[0])
            guests(2, on: nodes[1], named: "h")
            try await eventually("all of them") { try await connections(by: nodes[1]) == 7 }
            let observer = try Observer(redis)
            _ = try await redis.cli("DEL", observer.keys.head(room).name)
            try await eventually("all of them after the deletion") { try await connections(by: nodes[1]) == 7 }
            _ = try await redis.cli("FLUSHALL")
            try await eventually("all of them after the flush") { try await connections(by: nodes[1]) == 7 }
            try await eventually("the room") {
                try await nodes[0].directory.rooms(limit: 10, cursor: nil).rooms == [room]
            }
        }
    }

    @Test func `a node that was cut off and comes back counts them once`() async throws {
        try await withNodes(2) { _, nodes in
            guests(3, on: nodes[0])
            guests(1, on: nodes[1], named: "h")
            try await eventually("all of them") { try await connections(by: nodes[1]) == 4 }
            try await nodes[0].cut()
            try await eventually("those that live") { try await connections(by: nodes[1]) == 1 }
            guests(2, on: nodes[0], named: "late")
            try await nodes[0].heal()
            try await eventually("all of them again") { try await connections(by: nodes[1]) == 6 }
        }
    }
}
