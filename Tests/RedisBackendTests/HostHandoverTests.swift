import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// The host's chair on a real Redis, through coordinators.
@Suite("The host's chair")
struct HostHandoverTests {
    private func hosts(_ sink: RecordingSink) -> [String] {
        sink.deliveries.compactMap {
            if case .room(let change) = $0, change.event == .host { change.userId?.string } else { nil }
        }
    }

    private func follow(_ node: PresenceNode) async throws -> RecordingSink {
        let sink = RecordingSink()
        node.backend.streams.follow(room, ticket: 1, hub: node.backend.streams.open(sink))
        try await eventually { sink.position(of: 1) != nil }
        return sink
    }

    private func give(_ role: RoleName, to user: String, _ node: PresenceNode) async throws {
        _ = try await node.backend.roomGovernor.carryOut(RoomOrder(.role(role), UserID(unchecked: user), in: room))
    }

    private func host(_ node: PresenceNode) async throws -> String? {
        try await node.backend.roomGovernor.roles(in: room).host?.string
    }

    private func enter(_ node: PresenceNode, _ id: String, _ user: String) async throws {
        try await node.connect(id, user)
        try await node.join(room.string, id)
    }

    @Test func `when the host leaves the chair goes on by role within a second, once, and all are told`() async throws {
        let redis = try RedisServerProcess()
        let nodes = [
            try await PresenceNode.start("n0", on: redis, settings: .brisk()),
            try await PresenceNode.start("n1", on: redis, settings: .brisk()),
        ]
        _ = try await nodes[0].backend.roomGovernor.govern(room, by: RoomSettings(), replacing: 0)
        for (id, user) in [("c1", "ann"), ("c2", "ben"), ("c3", "cid"), ("c4", "dee")] {
            try await enter(nodes[0], id, user)
        }
        let sink = try await follow(nodes[1])
        try await give(.host, to: "ann", nodes[0])
        try await give(.moderator, to: "dee", nodes[0])
        try await eventually { hosts(sink) == ["ann"] }
        let left = ContinuousClock.now
        nodes[0].presence.leave(room, connection: "c1")
        try await eventually { hosts(sink) == ["ann", "dee"] }
        #expect(ContinuousClock.now - left < .seconds(2))
        #expect(try await host(nodes[1]) == "dee")
        // The moderator was above the others, and among those the one who came first follows.
        nodes[0].presence.leave(room, connection: "c4")
        try await eventually { hosts(sink).last == "ben" }
        // One who returns later gets the chair back only by asking.
        try await enter(nodes[1], "c5", "ann")
        #expect(try await host(nodes[1]) == "ben")
        #expect(try await nodes[0].backend.roomGovernor.roles(in: room).roles.count == 1)
        let events = try await redis.cli("XRANGE", Keys(prefix: "m").events(Partition(of: room)).name, "-", "+")
        #expect(events.split(separator: "\n").count { $0 == "room.host_changed" } == 3)
        for node in nodes { try await node.stop() }
    }

    @Test func `a host who is back within the grace never lost the chair, and one who is not has`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start("n0", on: redis, settings: .brisk(grace: .seconds(2)))
        let session = try await node.connect("c1", "ann").session
        try await node.join(room.string, "c1")
        try await enter(node, "c2", "ben")
        let sink = try await follow(node)
        try await give(.host, to: "ann", node)
        node.presence.disconnect("c1", .abrupt(.lost))
        try await eventually { try await node.directory.room(room)?.connections == 1 }
        let resumed = try await node.connect("c3", "ann", resuming: session)
        #expect(resumed.resumed?.rooms == [room])
        node.presence.disconnect("c3", .abrupt(.lost))
        try await eventually { hosts(sink) == ["ann", "ben"] }
        #expect(try await host(node) == "ben")
        try await node.stop()
    }

    @Test func `a chair that is not handed over waits for its host, and so does one in an empty room`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start("n0", on: redis, settings: .brisk())
        var settings = RoomSettings()
        settings.hostHandover = RoomSettings.HostHandover.none
        let version = try await node.backend.roomGovernor.govern(room, by: settings, replacing: 0)
        try await enter(node, "c1", "ann")
        try await enter(node, "c2", "ben")
        try await give(.host, to: "ann", node)
        node.presence.leave(room, connection: "c1")
        let vacant = Keys(prefix: "m").vacant(Partition(of: room)).name
        try await eventually {
            let members = try await node.directory.room(room)?.members
            return try await redis.cli("ZCARD", vacant) == "0" && members == 1
        }
        #expect(try await host(node) == "ann")
        // Back before the rule is another, by which one who is away would lose the chair.
        try await enter(node, "c3", "ann")
        settings.hostHandover = .oldest
        _ = try await node.backend.roomGovernor.govern(room, by: settings, replacing: version + 1)
        node.presence.leave(room, connection: "c2")
        try await eventually { try await node.directory.room(room)?.members == 1 }
        node.presence.leave(room, connection: "c3")
        try await eventually {
            let members = try await node.directory.room(room)?.members
            return try await redis.cli("ZCARD", vacant) == "0" && members ?? 0 == 0
        }
        #expect(try await host(node) == "ann")
        try await node.stop()
    }

    @Test(arguments: [RoomSettings.HostHandover.oldest, .role, nil])
    func `a chair that waited for its host goes on once the settings say that chairs do`(
        handover: RoomSettings.HostHandover?
    ) async throws {
        let redis = try RedisServerProcess()
        let nodes = [
            try await PresenceNode.start("n0", on: redis, settings: .brisk()),
            try await PresenceNode.start("n1", on: redis, settings: .brisk()),
        ]
        var settings = RoomSettings()
        settings.hostHandover = RoomSettings.HostHandover.none
        var version = try await nodes[0].backend.roomGovernor.govern(room, by: settings, replacing: 0)
        try await enter(nodes[0], "c1", "ann")
        try await enter(nodes[0], "c2", "ben")
        try await enter(nodes[1], "c3", "cid")
        try await give(.host, to: "ann", nodes[0])
        let sink = try await follow(nodes[1])
        nodes[0].presence.leave(room, connection: "c1")
        let vacant = Keys(prefix: "m").vacant(Partition(of: room)).name
        try await eventually {
            let members = try await nodes[0].directory.room(room)?.members
            return try await redis.cli("ZCARD", vacant) == "0" && members == 2
        }
        // Other settings that leave the chair where it is offer it to nobody.
        settings.slowMode = 1
        version = try await nodes[0].backend.roomGovernor.govern(room, by: settings, replacing: version + 1)
        #expect(try await redis.cli("ZCARD", vacant) == "0")
        #expect(try await host(nodes[0]) == "ann")
        settings.hostHandover = handover
        let changed = ContinuousClock.now
        _ = try await nodes[1].backend.roomGovernor.govern(room, by: settings, replacing: version)
        try await eventually { hosts(sink).last == "ben" }
        #expect(ContinuousClock.now - changed < .seconds(2))
        #expect(try await host(nodes[0]) == "ben")
        for node in nodes { try await node.stop() }
    }

    @Test func `a room whose settings have ended by themselves is not kept as a governed one`() async throws {
        let redis = try RedisServerProcess()
        var settings = PresenceSettings.brisk()
        settings.renewal = .milliseconds(300)
        let node = try await PresenceNode.start("n0", on: redis, settings: settings)
        try await enter(node, "c1", "ann")
        try await give(.host, to: "ann", node)
        let keys = Keys(prefix: "m")
        let governed = keys.governed(Partition(of: room)).name
        #expect(try await redis.cli("HGET", governed, room.string) == "ann")
        _ = try await redis.cli("DEL", keys.settings(of: room).name)
        try await eventually { try await redis.cli("HLEN", governed) == "0" }
        try await node.stop()
    }

    @Test func `a coordinator whose token is void, or that saw an older room, hands nothing over`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start("n0", on: redis, settings: .brisk())
        let observer = try Observer(redis)
        try await enter(node, "c1", "ann")
        try await enter(node, "c2", "ben")
        try await give(.host, to: "ann", node)
        let version = try await node.backend.roomGovernor.state(of: room).version
        let token = try await redis.cli("GET", Keys(prefix: "m").coordinator(Partition(of: room)).name)
        let ben = UserID(unchecked: "ben")
        func handOver(_ token: String, _ version: Int64) async throws -> HandOver.Answer {
            try await observer.store.call(
                HandOver(room, to: ben, seen: version, token: token, settings: PresenceSettings()))
        }
        #expect(try await handOver("n9:1 1", version) == .refused)
        // The host is there.
        #expect(try await handOver(token, version) == .kept)
        guard case .kept = try await observer.store.call(ReadChair(of: room, token: token)) else {
            Issue.record("a chair that is taken is none to be given")
            return
        }
        _ = try await redis.cli("HDEL", Keys(prefix: "m").members(room).name, "ann")
        #expect(try await handOver(token, version - 1) == .moved)
        guard case .vacant(let chair) = try await observer.store.call(ReadChair(of: room, token: token)) else {
            Issue.record("the chair is vacant")
            return
        }
        #expect(chair.version == version && chair.successor == ben)
        // Who was there before the room was governed has been there since then at least.
        #expect(chair.members.allSatisfy { $0.since > 1_700_000_000_000 })
        #expect(try await handOver(token, version) == .handed(version: version + 1))
        #expect(try await handOver(token, version) == .kept)
        #expect(try await host(node) == "ben")
        try await node.stop()
    }
}
