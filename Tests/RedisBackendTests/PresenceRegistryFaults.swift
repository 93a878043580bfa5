import GatewayCore
import NIOCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Presence of whole nodes", .serialized)
struct PresenceRegistryFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func start(_ name: String, _ settings: PresenceSettings = .brisk()) async throws -> PresenceNode {
        try await PresenceNode.start(name, on: redis, settings: settings, loop: loop)
    }

    private func offline() async throws -> [Observer.Entry] {
        try await observer.ledger().filter { $0.type == "user.offline" }
    }

    @Test func `after a loss a user is told offline once the grace is over, and a member a little later`() async throws
    {
        let node = try await start("n1")
        try await node.connect("c1", "alice")
        try await node.join("r", "c1")
        let start = try await observer.ledger().count
        node.presence.disconnect("c1", .abrupt(.lost))
        try await eventually { try await observer.ledger().count == start + 3 }
        let ledger = try await observer.ledger()
        let left = try #require(ledger.first { $0.type == "user.offline" })
        let member = try #require(ledger.first { $0.type == "member.left" })
        #expect(left.cause == "lost" && member.cause == "lost")
        #expect(member.timestamp >= left.timestamp)
        #expect(try await redis.cli("KEYS", "*linger") == "")
        try await node.stop()
    }

    @Test func `a reconnect within the grace on another node is no event at all`() async throws {
        let first = try await start("n1", .brisk(grace: .seconds(1)))
        let second = try await start("n2", .brisk(grace: .seconds(1)))
        try await first.connect("c1", "alice")
        try await first.join("r", "c1")
        let before = try await observer.texts()
        first.presence.disconnect("c1", .abrupt(.lost))
        try await second.connect("c2", "alice")
        try await second.join("r", "c2")
        // All graces are over once nothing lingers.
        try await eventually { try await redis.cli("KEYS", "*linger") == "" }
        #expect(try await observer.texts() == before)
        try await first.stop()
        try await second.stop()
    }

    @Test func `a node cut off from Redis is taken for dead, and its users return when it does`() async throws {
        let survivor = try await start("n1")
        let cut = try await start("n2")
        for number in 0..<40 {
            try await cut.connect("c\(number)", "u\(number)")
            try await cut.join("r\(number % 3)", "c\(number)")
        }
        try await survivor.connect("d", "u7")
        try await cut.cut()
        try await eventually { try await offline().count == 39 }
        #expect(try await survivor.directory.users(limit: 10, cursor: nil).total == 1)
        cut.presence.disconnect("c0", .farewell(.closed))
        try await cut.heal()
        try await eventually { try await survivor.directory.users(limit: 10, cursor: nil).total == 39 }
        try await eventually {
            let rooms = try await survivor.directory.rooms(limit: 10, cursor: nil)
            return rooms.total == 3
        }
        try await eventually { try await observer.holders().count == 2 }
        // The closed one did not come back, and everybody was told once each way.
        let ledger = try await observer.ledger()
        for number in 0..<40 where number != 7 {
            let own = ledger.filter { $0.user == "u\(number)" && $0.room.isEmpty }.map(\.type)
            let back = number == 0 ? [] : ["user.online"]
            #expect(own == ["user.online", "user.offline"] + back)
        }
        #expect(ledger.filter { $0.user == "u7" && $0.room.isEmpty }.map(\.type) == ["user.online"])
        try await survivor.stop()
        try await cut.stop()
    }

    @Test func `an outage of Redis tells nobody offline`() async throws {
        let nodes = [try await start("n1"), try await start("n2")]
        for number in 0..<20 { try await nodes[number % 2].connect("c\(number)", "u\(number)") }
        let before = try await observer.texts()
        let holders = try await observer.holders()
        redis.pause()
        // By another clock than Redis's, which stands for its clients: three leases.
        try await loop.scheduleTask(in: .milliseconds(1800)) {}.futureResult.get()
        redis.resume()
        let later = ContinuousClock.now + .seconds(2)
        try await eventually { ContinuousClock.now > later && nodes.allSatisfy { $0.backend.problem == nil } }
        #expect(try await observer.texts() == before)
        // Nobody was even declared dead: all have their old incarnation.
        #expect(try await observer.holders() == holders)
        for node in nodes { try await node.stop() }
    }

    @Test func `members of rooms that Redis has lost are told of nobody, but that the roster may be read again`()
        async throws
    {
        let nodes = [try await start("n1"), try await start("n2")]
        let room = RoomName(unchecked: "r")
        for number in 0..<20 {
            try await nodes[number % 2].connect("c\(number)", "u\(number)")
            try await nodes[number % 2].join("r", "c\(number)")
        }
        for node in nodes { node.backend.streams.follow(room, ticket: 1, hub: 0) }
        try await eventually("listeners") { nodes.allSatisfy { $0.sink.hasAnswer(to: 1) } }
        _ = try await redis.cli("FLUSHALL")
        try await eventually("an unseen change to all") {
            nodes.allSatisfy { $0.rosters.last?.members == 20 }
        }
        for node in nodes {
            #expect(node.rosters.flatMap(\.events) == [])
            #expect(node.rosters.count <= 2, "more than one only where Redis was filled slowly")
        }
        // Whoever comes now is told of, one step further.
        try await nodes[0].connect("late", "late")
        try await nodes[0].join("r", "late")
        try await eventually("a newcomer") {
            nodes.allSatisfy { $0.rosters.last?.events.map(\.userId.string) == ["late"] }
        }
        for node in nodes { try await node.stop() }
    }

    @Test func `members of a node that was taken for dead and comes back are told of`() async throws {
        let nodes = [try await start("n1"), try await start("n2")]
        for node in nodes {
            try await node.connect("c-\(node.name)", "u-\(node.name)")
            try await node.join("r", "c-\(node.name)")
        }
        nodes[0].backend.streams.follow(RoomName(unchecked: "r"), ticket: 1, hub: 0)
        try await eventually("a listener") { nodes[0].sink.hasAnswer(to: 1) }
        try await nodes[1].cut()
        try await eventually("a leave") { nodes[0].rosters.flatMap(\.events).last?.kind == .leave }
        try await nodes[1].heal()
        try await eventually("a join") { nodes[0].rosters.flatMap(\.events).map(\.kind) == [.leave, .join] }
        for node in nodes { try await node.stop() }
    }

    @Test func `an emptied Redis is filled again, and says so`() async throws {
        let nodes = [try await start("n1"), try await start("n2")]
        for number in 0..<20 {
            try await nodes[number % 2].connect("c\(number)", "u\(number)")
            try await nodes[number % 2].join("r", "c\(number)")
        }
        try redis.restart(keepingData: false)
        try await eventually {
            // While Redis is on its way back, a question may go unanswered.
            let page = try? await nodes[0].directory.users(limit: 100, cursor: nil)
            let room = try? await nodes[1].directory.room(RoomName(unchecked: "r"))
            return page?.total == 20 && room?.members == 20
        }
        // What a session remembers is back as well.
        try await eventually {
            let user = try? await nodes[1].directory.user(UserID(unchecked: "u0"))
            return user?.connections.first?.rooms.map(\.string) == ["r"]
        }
        let ledger = try await observer.ledger()
        #expect(
            ledger.allSatisfy {
                $0.cause == "restored" && ["user.online", "member.joined", "room.occupied"].contains($0.type)
            })
        #expect(ledger.filter { $0.type == "user.online" }.count == 20)
        for node in nodes { try await node.stop() }
    }

    @Test
    func `another run of Redis with its data is no event, and what was held before is held under a new incarnation`()
        async throws
    {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let redis = try RedisServerProcess(options)
        let observer = try Observer(redis)
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk(), loop: loop)
        for number in 0..<20 { try await node.connect("c\(number)", "u\(number)") }
        let before = try await observer.texts()
        let old = try await observer.holders()
        try redis.restart(keepingData: true)
        try await eventually {
            let holders = try await observer.holders()
            return holders.count == 1 && holders.isDisjoint(with: old)
        }
        #expect(try await observer.texts() == before)
        #expect(try await node.directory.users(limit: 100, cursor: nil).total == 20)
        try await node.stop()
    }

    @Test func `a node that leaves hands its partitions to those that stay`() async throws {
        let first = try await start("n1")
        let second = try await start("n2")
        let keys = Partition.all.map { observer.keys.coordinator($0).name }
        @Sendable func tokens() async throws -> [String] {
            try await (observer.link.send(["MGET"] + keys.map { .string($0) }).array ?? []).map { $0.string ?? "" }
        }
        try await eventually { try await tokens().contains { $0.hasPrefix("n2:") } }
        try await second.stop()
        try await eventually { try await tokens().allSatisfy { $0.hasPrefix("n1:") } }
        try await first.stop()
    }

    @Test func `what Redis lost of a living node, and what it has too much, is mended by the comparison`() async throws
    {
        var settings = PresenceSettings.brisk()
        settings.renewal = .milliseconds(200)
        settings.comparison = .milliseconds(100)
        let node = try await start("n1", settings)
        try await node.connect("c1", "alice")
        try await node.join("r", "c1")
        let holder = try #require(try await observer.holders().first.flatMap { Holder($0) })
        let ghost = PresenceConnection(id: "c9", userId: UserID(unchecked: "ghost"), address: "")
        observer.store.call(Connect(ghost, by: holder, settings: settings)) { _ in }
        let join = Join(
            RoomName(unchecked: "r"), connection: ghost.id, of: ghost.userId, info: [], holder: holder, mode: .new,
            settings: settings)
        observer.store.call(join) { _ in }
        let alice = UserID(unchecked: "alice")
        let partition = Partition(of: "alice")
        let lost = [
            observer.keys.connections(of: alice), observer.keys.online(partition),
            observer.keys.held(by: holder, in: partition),
        ]
        _ = try await observer.link.send(["DEL"] + lost.map { .string($0.name) })
        try await eventually {
            let ghosts = try await observer.ledger().filter { $0.user == "ghost" && $0.cause == "lost" }
            let record = try await node.directory.user(alice)
            return ghosts.count == 2 && record?.connections.count == 1
        }
        #expect(try await node.directory.room(RoomName(unchecked: "r"))?.members == 1)
        try await node.stop()
    }
}
