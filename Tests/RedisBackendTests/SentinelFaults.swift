import GatewayCore
import Logging
import Metrics
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Nodes whose URL names sentinels, on real ones.
@Suite("Redis under Sentinel", .serialized)
struct SentinelFaults {
    private static let gold = RoomName(unchecked: "gold-1")

    /// With a room that needs a replica, so that a node has all the links there are.
    private static func rules() throws -> RoomRules {
        var rule = RoomRule(
            pattern: try #require(RoomPattern("gold-*")), log: LogLimits(size: 1000, age: .seconds(3600)))
        rule.durability = .replicated
        return RoomRules(rules: [rule])
    }

    /// How many links of nodes a server has.
    private static func links(to server: RedisServerProcess) async throws -> Int {
        try await server.cli("CLIENT", "LIST").split(separator: "\n").count { $0.contains("name=martlet:node-") }
    }

    private static func withNodes(
        _ urls: [String], _ body: @Sendable ([Backend]) async throws -> Void
    ) async throws {
        try await RedisFixture(rules: rules()).withBackends(
            urls, configure: { _, configuration in configuration.presence.failoverGrace = .seconds(15) }, body)
    }

    /// All five links of each node lead to this server, and all that goes over them is answered.
    private static func stands(_ backends: [Backend], on server: RedisServerProcess) async throws {
        try await eventually("all links on the new primary") {
            try await links(to: server) == 5 * backends.count && backends.allSatisfy { $0.problem == nil }
        }
        for backend in backends {
            try await eventually("a message in a log") {
                try await backend.messageLog.publish(Publication(room, "1")).position.seq > 0
            }
            try await eventually("a message on a replica") {
                (try? await backend.messageLog.publish(Publication(gold, "1"))) != nil
            }
            try await eventually("the sentinels' word") { backend.restriction == nil }
        }
    }

    @Test func `an ordered failover takes all links of all nodes along, and the old primary's return moves nothing`()
        async throws
    {
        let group = try await SentinelGroup.start()
        try await SentinelFaults.withNodes([group.url, group.url]) { backends in
            try await SentinelFaults.stands(backends, on: group.servers[0])
            let promoted = try await group.failOver()
            try await SentinelFaults.stands(backends, on: promoted)
            #expect(try await SentinelFaults.links(to: group.servers[0]) == 0)
            try await group.demoted(group.servers[0])
            try await SentinelFaults.stands(backends, on: promoted)
            #expect(try await SentinelFaults.links(to: group.servers[0]) == 0)
        }
        group.stop()
    }

    @Test func `a primary that was killed is left for the one that the sentinels promote, with passwords on both`()
        async throws
    {
        var options = SentinelGroup.Options()
        (options.password, options.sentinelPassword) = ("redis-secret", "sentinel-secret")
        let group = try await SentinelGroup.start(options)
        try await SentinelFaults.withNodes([group.url]) { backends in
            group.servers[0].kill9()
            let promoted = try await group.promoted()
            try await SentinelFaults.stands(backends, on: promoted)
        }
        group.stop()
    }

    @Test func `a primary that stood still is left with its connections open, and its waking tells nothing`()
        async throws
    {
        let group = try await SentinelGroup.start()
        try await SentinelFaults.withNodes([group.url]) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually("an answer") { sink.hasAnswer(to: 1) }
            group.servers[0].pause()
            // What lies in its sockets runs when it wakes.
            backends[0].messageLog.publish(Publication(room, "lost")) { _ in }
            let promoted = try await group.promoted()
            try await SentinelFaults.stands(backends, on: promoted)
            group.servers[0].resume()
            try await group.demoted(group.servers[0])
            try await SentinelFaults.stands(backends, on: promoted)
            #expect(sink.messages.count { $0.payload == Array("lost".utf8) } <= 1)
        }
        group.stop()
    }

    @Test func `a failover that no sentinel could announce is found by asking`() async throws {
        var options = SentinelGroup.Options()
        options.withholdsAnnouncements = true
        let group = try await SentinelGroup.start(options)
        try await SentinelFaults.withNodes([group.url]) { backends in
            try await SentinelFaults.stands(backends, on: try await group.failOver())
        }
        group.stop()
    }

    @Test func `one sentinel that names another server moves nothing, nor does the absence of two`() async throws {
        let group = try await SentinelGroup.start()
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        let other = try RedisServerProcess(options)
        let liar = try SentinelProcess(of: try #require(other.port))
        let url = group.url(asking: [group.sentinels[0], group.sentinels[1], liar])
        try await SentinelFaults.withNodes([url]) { backends in
            let primary = group.servers[0]
            try await SentinelFaults.stands(backends, on: primary)
            #expect(try await SentinelFaults.links(to: other) == 0)
            for sentinel in group.sentinels[..<2] { sentinel.kill9() }
            try await eventually("a doubt") { backends[0].restriction?.contains("does not answer") == true }
            #expect(backends[0].problem == nil)
            #expect(try await backends[0].messageLog.publish(Publication(room, "2")).position.seq > 0)
            for sentinel in group.sentinels[..<2] { try sentinel.restart() }
            try await SentinelFaults.stands(backends, on: primary)
            #expect(try await SentinelFaults.links(to: other) == 0)
        }
        liar.stop()
        other.stop()
        group.stop()
    }

    @Test func `a node that the sentinels do not confirm takes nobody for dead, until they do`() async throws {
        let group = try await SentinelGroup.start()
        let primary = group.servers[0]
        // By a way of its own, which can be cut.
        let way = try await FaultProxy.start(target: .unix(path: primary.socketPath))
        let urls = ["redis://127.0.0.1:\(way.port)", group.url]
        let lease = { (_: Int, configuration: inout Backend.Configuration) in
            configuration.presence.lease = .seconds(2)
        }
        try await RedisFixture(on: primary).withBackends(urls, configure: lease) { backends in
            let alice = UserID(unchecked: "alice")
            _ = try await withCheckedThrowingContinuation { continuation in
                backends[0].presence.connect(
                    PresenceConnection(id: "c1", userId: alice, address: ""), resuming: nil
                ) { continuation.resume(with: $0) }
            }
            let sink = RecordingSink()
            backends[1].streams.watch([alice], ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually("an answer") { sink.watched(1)?.first?.isOnline == true }
            for sentinel in group.sentinels[..<2] { sentinel.kill9() }
            try await eventually("a doubt") { backends[1].restriction != nil }
            try await SentinelFaults.pass(.seconds(3), by: primary)
            try await way.refuse(true)
            try await way.cutAll()
            try await SentinelFaults.pass(.seconds(8), by: primary)
            #expect(sink.statuses == [])
            try group.sentinels[0].restart()
            try await eventually("a word of the death") { sink.statuses.map(\.isOnline) == [false] }
            try await way.refuse(false)
        }
        try await way.stop()
        group.stop()
    }

    @Test func `a node that hears nothing of a failover takes nobody for dead who has followed it`() async throws {
        let group = try await SentinelGroup.start()
        var ways: [FaultProxy] = []
        for sentinel in group.sentinels {
            ways.append(try await FaultProxy.start(target: .tcp(host: "127.0.0.1", port: sentinel.port)))
        }
        let (url, cut) = (group.url(askingAt: ways.map(\.port)), ways)
        let lease = { (_: Int, configuration: inout Backend.Configuration) in
            configuration.presence.lease = .seconds(2)
            configuration.presence.failoverGrace = .seconds(3)
        }
        try await RedisFixture(on: group.servers[0]).withBackends([group.url, url], configure: lease) { backends in
            let alice = UserID(unchecked: "alice")
            _ = try await withCheckedThrowingContinuation { continuation in
                backends[0].presence.connect(
                    PresenceConnection(id: "c1", userId: alice, address: ""), resuming: nil
                ) { continuation.resume(with: $0) }
            }
            let sink = RecordingSink()
            backends[1].streams.watch([alice], ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually("an answer") { sink.watched(1)?.first?.isOnline == true }
            for way in cut {
                try await way.refuse(true)
                try await way.cutAll()
            }
            try await eventually("a doubt") { backends[1].restriction != nil }
            let promoted = try await group.failOver()
            try await eventually("the other node's move") {
                try await SentinelFaults.links(to: promoted) == 4 && backends[0].problem == nil
            }
            try await SentinelFaults.pass(.seconds(5), by: promoted)
            #expect(sink.statuses == [])
            for way in cut { try await way.refuse(false) }
            try await eventually("both nodes on the new primary") {
                try await SentinelFaults.links(to: promoted) == 8 && backends.allSatisfy { $0.problem == nil }
            }
            #expect(try await backends[1].presenceDirectory.user(alice)?.connections.count == 1)
            #expect(sink.statuses == [])
        }
        for way in ways { try await way.stop() }
        group.stop()
    }

    /// Time that has to go by, by the clock of Redis.
    private static func pass(_ time: Duration, by redis: RedisServerProcess) async throws {
        let start = try #require(Int64(try await redis.cli("TIME").prefix(10)))
        try await eventually("the time") {
            try #require(Int64(try await redis.cli("TIME").prefix(10))) > start + time.components.seconds
        }
    }

    @Test func `at the start a node waits for most of the sentinels that it is given`() async throws {
        let group = try await SentinelGroup.start()
        for sentinel in group.sentinels[..<2] { sentinel.kill9() }
        let backend = try SentinelFaults.backend(group.url)
        let run = Task { try await backend.run() }
        try await eventually("a reason") { backend.problem?.contains("does not answer") == true }
        #expect(backend.problem?.hasPrefix("it is not known where the primary is: 2 of 3 sentinels") == true)
        try group.sentinels[0].restart()
        try await eventually("the node") { backend.problem == nil }
        #expect(backend.restriction == nil)
        run.cancel()
        _ = await run.result
        group.stop()
    }

    @Test(arguments: ["name", "password", "Redis's password", "kind"])
    func `sentinels that lead nowhere end the start with the reason`(mistake: String) async throws {
        var options = SentinelGroup.Options()
        (options.password, options.sentinelPassword) = ("good", "right")
        let group = try await SentinelGroup.start(options)
        let server =
            "redis+sentinel://127.0.0.1:\(try #require(group.servers[0].port))/primary?sentinelPassword=good"
        let (url, reason) =
            switch mistake {
            case "name": (group.url(asking: group.sentinels, for: "other"), "watches no primary called other")
            case "Redis's password": (group.url.replacing(":good@", with: ":wrong@"), "WRONGPASS")
            case "password": (group.url.replacing("=right", with: "=wrong"), "WRONGPASS")
            default: (server, "it is no Sentinel")
            }
        let backend = try SentinelFaults.backend(url)
        let error = await #expect(throws: BackendStartError.self) { try await backend.run() }
        guard case .noPrimary(let text) = error else {
            Issue.record("it ended with \(String(describing: error))")
            return
        }
        #expect(text.contains(reason) && !text.contains("wrong"))
        group.stop()
    }

    private static func backend(_ url: String) throws -> Backend {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return Backend(
            configuration: Backend.Configuration(
                redis: try RedisConfiguration(url: url), nodeId: "node-0", version: "0.0.0", rules: RoomRules()),
            eventLoop: loop, life: loop, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 1, rooms: 2, processor: 0.5) })
    }
}
