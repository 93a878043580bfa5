import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A Redis whose clock is stepped while nodes are registered with it.
@Suite("Redis's clock steps", .serialized)
struct RedisClockFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    init() throws {
        var options = RedisServerProcess.Options()
        options.hasSteppableClock = true
        redis = try RedisServerProcess(options)
        observer = try Observer(redis)
    }

    private func start(_ settings: PresenceSettings) async throws -> [PresenceNode] {
        let nodes = [
            try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop),
            try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop),
        ]
        for number in 0..<20 {
            try await nodes[number % 2].connect("c\(number)", "u\(number)")
            try await nodes[number % 2].join("r\(number % 3)", "c\(number)")
        }
        return nodes
    }

    /// Since the last beats, in the settings' leases.
    private func pass(_ time: Duration) async throws {
        let end = ContinuousClock.now + time
        try await eventually("the time", within: time + .seconds(20)) { ContinuousClock.now >= end }
    }

    private func offline() async throws -> [String] {
        try await observer.texts().filter { $0.hasPrefix("user.offline") }
    }

    @Test(arguments: [-3600, -2, 60, 36_000])
    func `a step tells nobody anything, and leaves who is there and under which incarnation`(seconds: Int) async throws
    {
        let nodes = try await start(.brisk())
        try await pass(.milliseconds(1300))
        let (before, holders) = (try await observer.texts(), try await observer.holders())
        try redis.setClock(off: .seconds(seconds))
        try await pass(.milliseconds(1500))
        try redis.setClock(off: .zero)
        try await pass(.milliseconds(1500))
        #expect(try await observer.texts() == before)
        #expect(try await observer.holders() == holders)
        for node in nodes {
            #expect(try await node.directory.users(limit: 100, cursor: nil).total == 20)
            #expect(try await node.directory.rooms(limit: 100, cursor: nil).total == 3)
            #expect(try await node.backend.directory.nodes().map(\.nodeId) == ["n1", "n2"])
        }
        for node in nodes { try await node.stop() }
    }

    @Test(arguments: [-60, 3600])
    func `a node that dies as the clock steps is told dead as soon as ever`(seconds: Int) async throws {
        let nodes = try await start(.brisk(lease: .milliseconds(1500)))
        try await pass(.seconds(3))
        try redis.setClock(off: .seconds(seconds))
        let killed = ContinuousClock.now
        try await nodes[1].kill()
        try await eventually("the word of all") { try await offline().count == 10 }
        let taken = ContinuousClock.now - killed
        print("a step by \(seconds) s: told after \(taken)")
        // A lease of 1.5 s and two beats; the rest is for a busy machine.
        #expect(taken < .seconds(6))
        #expect(Set(try await offline()) == Set((0..<10).map { "user.offline u\($0 * 2 + 1) node_lost" }))
        try await nodes[0].stop()
    }

    @Test(arguments: [-60, 3600])
    func `whoever is in its grace as the clock steps has it anew, and no more`(seconds: Int) async throws {
        let nodes = try await start(.brisk(grace: .seconds(2)))
        try await pass(.milliseconds(1300))
        nodes[0].presence.disconnect("c0", .abrupt(.lost))
        nodes[0].presence.disconnect("c2", .abrupt(.lost))
        try await eventually("their grace") {
            try await observer.link.send(["EXISTS", .string(observer.keys.linger(Partition(of: "u0")).name)]).integer
                == 1
        }
        let stepped = ContinuousClock.now
        try redis.setClock(off: .seconds(seconds))
        try await pass(.milliseconds(1200))
        try await nodes[1].connect("d0", "u0")
        try await eventually("the end of the other") { try await !offline().isEmpty }
        #expect(ContinuousClock.now - stepped < .seconds(8))
        #expect(try await offline() == ["user.offline u2 lost"])
        for node in nodes { try await node.stop() }
    }

    @Test(arguments: [-60, 60])
    func `the connection that came first gives way for one too many, though the clock has stepped`(seconds: Int)
        async throws
    {
        var settings = PresenceSettings.brisk()
        settings.maxConnectionsPerUser = 2
        settings.surplus = .closeOldest
        let node = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        try await node.connect("z1", "alice")
        try redis.setClock(off: .seconds(seconds))
        let session = try await node.connect("y2", "alice").session
        try await node.connect("x3", "alice")
        try await eventually { Set(node.closed) == ["z1"] }
        node.presence.disconnect("z1", .farewell(.replaced))
        // One that goes on with a session is as new as any.
        try await node.connect("w4", "alice", resuming: session)
        node.presence.disconnect("y2", .farewell(.replaced))
        try redis.setClock(off: .zero)
        try await node.connect("v5", "alice")
        try await eventually { Set(node.closed) == ["z1", "y2", "x3"] }
        try await node.stop()
    }

    @Test func `a session that Redis forgot by a step of hours is registered again without a word`() async throws {
        let nodes = try await start(.brisk())
        try await pass(.milliseconds(1300))
        let before = try await observer.texts()
        #expect(try await redis.cli("KEYS", "m:*session:*") != "")
        try redis.setClock(off: .seconds(3600))
        try await eventually("all sessions") {
            let found = try await redis.cli("KEYS", "m:*session:*").split(separator: "\n")
            return found.count == 20
        }
        try await eventually("their rooms") {
            let user = try await nodes[1].directory.user(UserID(unchecked: "u4"))
            return user?.connections.first?.rooms.map(\.string) == ["r1"]
        }
        #expect(try await observer.texts() == before)
        for node in nodes { try await node.stop() }
    }

    @Test func `a node of a name whose predecessor was killed has it soon, though the clock went back an hour`()
        async throws
    {
        let nodes = try await start(.brisk())
        try await nodes[1].kill()
        try redis.setClock(off: .seconds(-3600))
        let again = try await PresenceNode.start("n2", on: redis, settings: .brisk(), loop: loop)
        try await eventually("its users' end") { try await offline().count == 10 }
        for node in [nodes[0], again] { try await node.stop() }
    }
}
