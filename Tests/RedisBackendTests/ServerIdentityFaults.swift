import GatewayCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// A Redis that is another than before, or not the same for all links of a node.
@Suite(.serialized)
struct ServerIdentityFaults {
    private let keys = Keys(prefix: "m")

    /// Redis listens on TCP and takes `DEBUG`.
    private static var options: RedisServerProcess.Options {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        options.arguments = ["--enable-debug-command", "yes"]
        return options
    }

    /// A second server that has what the first has.
    private func replica(of redis: RedisServerProcess) async throws -> RedisServerProcess {
        let replica = try RedisServerProcess(ServerIdentityFaults.options)
        try await attach(replica, to: redis)
        return replica
    }

    private func attach(_ replica: RedisServerProcess, to primary: RedisServerProcess) async throws {
        _ = try await replica.cli("REPLICAOF", "127.0.0.1", "\(try #require(primary.port))")
        try await eventually("the sync") {
            try await replica.cli("INFO", "replication").contains("master_link_status:up")
        }
    }

    private func incarnation(_ redis: RedisServerProcess) async throws -> Int64 {
        let entry = try await redis.cli("HGET", keys.index.name, "node-0").split(separator: " ")
        return entry.count > 1 ? Int64(entry[1]) ?? 0 : 0
    }

    private func servers(_ redis: RedisServerProcess) async throws -> Set<String> {
        var found: Set<String> = []
        for partition in Partition.all { found.insert(try await redis.cli("HGET", keys.state(partition).name, "run")) }
        return found
    }

    @Test
    func `a primary demoted and promoted again with older data loses for its followers what it says, and no more`()
        async throws
    {
        let fixture = try RedisFixture(ServerIdentityFaults.options)
        let other = try await replica(of: fixture.redis)
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.follow(room, ticket: 1, hub: hub)
            try await eventually("an answer") { sink.hasAnswer(to: 1) }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually("the copy") {
                try await other.cli("HGET", keys.head(room).name, "seq") == "1"
            }
            _ = try await other.cli("REPLICAOF", "NO", "ONE")
            for number in 2...6 { _ = try await backends[0].messageLog.publish(Publication(room, "\(number)")) }
            try await eventually("all of them") { sink.sequence.count == 6 }

            try await attach(fixture.redis, to: other)
            try await eventually("a reason") { backends[0].problem?.contains("replica") ?? false }
            _ = try await fixture.redis.cli("REPLICAOF", "NO", "ONE")
            try await eventually("the node") { backends[0].problem == nil }
            try await eventually("the gap") { !sink.gaps.isEmpty }
            for number in 7...9 { _ = try await backends[0].messageLog.publish(Publication(room, "\(number)")) }
            try await eventually("the rest") { sink.messages.count == 9 }
            #expect(sink.messages.map { String(decoding: $0.payload, as: UTF8.self) } == (1...9).map(String.init))
        }
        other.stop()
    }

    @Test func `a server that is another by now under unbroken links is met as one, in every partition`() async throws {
        let fixture = try RedisFixture(ServerIdentityFaults.options)
        try await fixture.withBackends([nil]) { backends in
            let (before, first) = (try await incarnation(fixture.redis), try await servers(fixture.redis))
            #expect(first.count == 1)
            _ = try await fixture.redis.cli("DEBUG", "CHANGE-REPL-ID")
            try await eventually("another name in all partitions") {
                let now = try await servers(fixture.redis)
                return now.count == 1 && now != first
            }
            try await eventually("a new incarnation") { try await incarnation(fixture.redis) > before }
            try await eventually("the node") { backends[0].problem == nil }
        }
    }

    @Test func `a server that gets another name goes on in one epoch, whoever has heard of it`() async throws {
        let redis = try RedisServerProcess(ServerIdentityFaults.options)
        let old = try Observer(redis)
        let first = try await publish("e1", over: old)
        _ = try await redis.cli("DEBUG", "CHANGE-REPL-ID")
        let new = try Observer(redis)
        var epochs: [String] = []
        for turn in 0..<6 {
            epochs.append(try await publish("new\(turn)", over: new))
            epochs.append(try await publish("old\(turn)", over: old))
        }
        #expect(first == "e1" && epochs == Array(repeating: "new0", count: 12))
    }

    /// Answers the epoch.
    private func publish(_ candidate: String, over observer: Observer) async throws -> String {
        try await observer.store.call(
            Publish(
                Array("1 5 alice{}".utf8), to: room, limits: LogLimits(size: 10, age: .seconds(60)),
                candidate: candidate, link: "link0001")
        ).position.epoch
    }

    @Test func `links that a failover has left behind follow those that it has not`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 1)
        try await RedisFixture(on: pair.primary).withBackends([pair.urls[0]]) { backends in
            try await pair.promote()
            try await pair.redirect(0)
            // What is no subscription is cut: the old primary goes on serving that.
            _ = try await pair.primary.cli("CLIENT", "KILL", "TYPE", "normal")
            try await eventually("all links on the promoted one") {
                let (old, new) = (
                    try await pair.primary.cli("CLIENT", "LIST"), try await pair.replica.cli("CLIENT", "LIST")
                )
                return !old.contains("name=martlet:node-0")
                    && new.split(separator: "\n").count { $0.contains("sub=64") } == 1
            }
            try await eventually("the node") { backends[0].problem == nil }
        }
        try await pair.stop()
    }

    @Test func `who moved on is dead to nodes that are left behind for longer than the grace, until they have moved`()
        async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        try await withWatcher(on: pair, grace: .seconds(3)) { backends, sink in
            try await pair.promote()
            try await pair.turn(0)
            try await eventually("a word on the server left behind") { sink.statuses.map(\.isOnline) == [false] }
            try await pair.turn(1)
            // The grace, and no less than ten seconds: what another server shows is believed after it.
            try await eventually("the end of it") { sink.statuses.map(\.isOnline) == [false, true] }
            #expect(try await backends[1].presenceDirectory.user(Self.alice)?.connections.count == 1)
        }
        try await pair.stop()
    }

    @Test func `who moved on lives for nodes that are left behind, where the replica that was promoted shows it`()
        async throws
    {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        try await withWatcher(on: pair, grace: .seconds(20)) { backends, sink in
            try await pair.promote()
            try await pair.turn(0)
            let start = try await time(pair.primary)
            try await eventually("three leases") { try await time(pair.primary) > start + 6000 }
            try await pair.turn(1)
            try await eventually("the node") { backends[1].problem == nil }
            let moved = try await time(pair.replica)
            try await eventually("three more") { try await time(pair.replica) > moved + 6000 }
            #expect(sink.statuses.isEmpty)
            #expect(try await Observer(pair.primary).ledger().map(\.type) == ["user.online"])
            #expect(try await Observer(pair.replica).ledger().map(\.type) == ["user.online"])
        }
        try await pair.stop()
    }

    @Test func `a replica that is restarted keeps nobody alive for longer than it takes`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        try await withWatcher(on: pair, grace: .seconds(60)) { _, sink in
            // It ceases to follow, and follows again, as one that is restarted.
            try await pair.promote()
            try await pair.silence(0)
            let start = try await time(pair.primary)
            try await eventually("two leases") { try await time(pair.primary) > start + 4000 }
            #expect(sink.statuses.isEmpty)
            try await pair.demoteReplica()
            try await eventually("the end of who does not beat") { sink.statuses.map(\.isOnline) == [false] }
        }
        try await pair.stop()
    }

    private static let alice = UserID(unchecked: "alice")

    /// Alice is on the first node, and watched on the second.
    private func withWatcher(
        on pair: RedisReplicaPair, grace: Duration, _ body: @Sendable ([Backend], RecordingSink) async throws -> Void
    ) async throws {
        let configure: (Int, inout Backend.Configuration) -> Void = { _, configuration in
            configuration.presence.lease = .seconds(2)
            configuration.presence.failoverGrace = grace
        }
        try await RedisFixture(on: pair.primary).withBackends(pair.urls, configure: configure) { backends in
            _ = try await withCheckedThrowingContinuation { continuation in
                backends[0].presence.connect(
                    PresenceConnection(id: "c1", userId: Self.alice, address: ""), resuming: nil
                ) { continuation.resume(with: $0) }
            }
            let sink = RecordingSink()
            backends[1].streams.watch([Self.alice], ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually("an answer") { sink.watched(1)?.first?.isOnline == true }
            try await pair.caughtUp()
            try await body(backends, sink)
        }
    }

    @Test func `one silent connection, the beat's too, costs nobody a lease`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let nodes = [
            try await PresenceNode.start("node-0", on: redis, settings: PresenceSettings()),
            try await PresenceNode.start("node-1", on: redis, settings: PresenceSettings()),
        ]
        try await nodes[0].connect("a1", "alice")
        let before = try await incarnation(redis)
        let start = try #require(Int64(try await redis.cli("TIME").prefix(10)))
        try await nodes[0].proxy.treat(.toServer, .drop)
        try await nodes[0].proxy.treat(.toServer, .pass, isForNewOnly: true)
        try await eventually("two leases") {
            try #require(Int64(try await redis.cli("TIME").prefix(10))) > start + 7
        }
        #expect(try await incarnation(redis) == before)
        #expect(try await observer.texts() == ["user.online alice"])
        for node in nodes { try await node.stop() }
    }

    @Test
    func `a failover that two nodes have not followed yet tells nobody of theirs offline to a third, nor sweeps them`()
        async throws
    {
        var options = ServerIdentityFaults.options
        options.arguments = []
        let old = try RedisServerProcess(options)
        let new = try await replica(of: old)
        let before = try Observer(old)
        var settings = PresenceSettings.brisk(lease: .seconds(1))
        settings.failoverGrace = .seconds(8)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let nodes = [
            try await PresenceNode.start("n1", on: old, settings: settings, loop: loop),
            try await PresenceNode.start("n2", on: old, settings: settings, loop: loop),
        ]
        for number in 0..<30 {
            try await nodes[number % 2].connect("c\(number)", "u\(number)")
            try await nodes[number % 2].join("r", "c\(number)")
        }
        let told = try await before.ledger().count
        _ = try await old.cli("SET", "copied", "all")
        try await eventually("the copy") { try await new.cli("GET", "copied") == "all" }
        _ = try await new.cli("REPLICAOF", "NO", "ONE")
        let after = try Observer(new)
        let third = try await PresenceNode.start("n3", on: new, settings: settings, loop: loop)
        let start = try await time(new)
        try await eventually("three leases") { try await time(new) > start + 3000 }
        #expect(try await after.ledger().count == told)

        // One comes over in time; the other never does.
        try await nodes[0].proxy.redirect(to: .unix(path: new.socketPath))
        try await nodes[0].proxy.cutAll()
        try await eventually("the node") { nodes[0].backend.problem == nil }
        try await eventually("the end of those that did not come") {
            try await after.ledger().filter { $0.type == "user.offline" }.count == 15
        }
        let ends = try await after.ledger().filter { $0.type == "user.offline" }
        #expect(Set(ends.map(\.user)) == Set((0..<15).map { "u\($0 * 2 + 1)" }))
        #expect(try await after.ledger().filter { $0.cause == "restored" } == [])
        for node in nodes + [third] { try await node.stop() }
        for redis in [old, new] { redis.stop() }
    }

    /// Milliseconds by the clock of Redis.
    private func time(_ redis: RedisServerProcess) async throws -> Int64 {
        let parts = try await redis.cli("TIME").split(separator: "\n").compactMap { Int64($0) }
        return try #require(parts.first) * 1000 + (parts.last ?? 0) / 1000
    }
}
