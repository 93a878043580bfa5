import MartletClient
import Synchronization
import TestKit
import Testing

/// Thirty clients, three rooms, fifty messages a second, and something that breaks: every stream stays whole, or has a gap
/// exactly where the log has one.
@Suite("Streams under fire", .serialized)
struct RecoveryFaults {
    private static func kept(_ fsync: String = "always") -> RedisServerProcess.Options {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        options.appendFsync = fsync
        return options
    }

    @Test func `clients cut by resets at random are back on any node`() async throws {
        let fleet = try await Fleet.start(2)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(5)) {
            for round in 1...20 {
                try await fleet.wait(.milliseconds(200))
                for index in 0..<3 { storm.clients[(round * 7 + index * 11) % 30].reset() }
            }
        }
        try await storm.judge("resets")
    }

    @Test func `a node killed, and another started`() async throws {
        let fleet = try await Fleet.start(3)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(8)) {
            try await fleet.wait(.seconds(2))
            fleet.nodes[2].kill9()
            storm.nodes.withLock { $0 = Array(fleet.nodes[..<2]) }
            let fresh = try await NodeProcess.start(nodeId: "fresh", redisURL: fleet.redis.url)
            storm.nodes.withLock { $0.append(fresh) }
        }
        try await storm.judge("node killed")
    }

    @Test func `the links to Redis cut for 3 s, twice`() async throws {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis) { _, _ in "redis://127.0.0.1:\(proxy.port)" }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(12)) {
            try await fleet.cutTwice(proxy)
        }
        // A living Redis that no node reaches cannot tell them from dead ones: whether users went is its own matter.
        try await storm.judge("links cut", staying: false)
        try await proxy.stop()
    }

    @Test func `Redis paused for 5 s`() async throws {
        let fleet = try await Fleet.start(2)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(8)) {
            try await fleet.wait(.seconds(1))
            fleet.redis.pause()
            try await fleet.wait(.seconds(5))
            fleet.redis.resume()
        }
        try await storm.judge("Redis paused")
    }

    @Test(arguments: ["always", "everysec"])
    func `Redis killed and back with its data`(fsync: String) async throws {
        let fleet = try await Fleet.start(2, Self.kept(fsync))
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(6)) {
            try await fleet.wait(.seconds(2))
            fleet.redis.kill9()
            try fleet.redis.restart(keepingData: true)
        }
        // What the process had written is in the file even with `everysec`; only a crash of the machine loses it.
        try await storm.judge("Redis restarted, \(fsync)")
    }

    @Test(arguments: ["restart", "FLUSHALL"])
    func `Redis back empty, by a restart or by FLUSHALL`(how: String) async throws {
        let fleet = try await Fleet.start(2)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(6)) {
            try await fleet.wait(.seconds(2))
            if how == "restart" {
                try fleet.redis.restart(keepingData: false)
            } else {
                _ = try await fleet.redis.cli("FLUSHALL")
            }
        }
        try await storm.judge("Redis empty, \(how)", allowsGaps: true)
    }

    @Test func `a replica promoted that lacks the last writes, one node after the other`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        let fleet = try await Fleet.over(pair.primary) { number, _ in pair.urls[number] }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(8)) {
            try await fleet.wait(.seconds(2))
            try await pair.promote()
            try await fleet.wait(.milliseconds(300))
            try await pair.turn(0)
            // The other goes on publishing to the old primary meanwhile.
            try await fleet.wait(.milliseconds(500))
            try await pair.turn(1)
        }
        try await storm.judge("replica promoted", allowsGaps: true, staying: false)
        try await pair.stop()
    }

    @Test func `a node with 200 clients told to end: each is asked away at its moment, and nothing is lost or told`()
        async throws
    {
        let limit = Duration.seconds(20)
        let fleet = try await Fleet.start(2, environment: ["MARTLET_DRAIN_TIMEOUT": "20s", "MARTLET_DRAIN_RATE": "1"])
        let storm = try await Storm.begin(on: fleet, clients: 230) { $0 < 200 ? 1 : 0 }
        let leaving = storm.clients[..<200]
        let ended = Mutex(Duration.zero)
        try await storm.publish(for: .seconds(14)) {
            try await fleet.wait(.seconds(1))
            storm.nodes.withLock { $0 = [fleet.nodes[0]] }
            let asked = ContinuousClock.now
            fleet.nodes[1].terminate()
            #expect(await fleet.nodes[1].exitStatus() == 0)
            ended.withLock { $0 = ContinuousClock.now - asked }
        }
        try await storm.judge("drained")

        let delays = leaving.flatMap { $0.recalls.map(\.delay) }
        #expect(delays.count == 200 && leaving.allSatisfy { $0.recalls.count == 1 })
        #expect(storm.clients[200...].allSatisfy { $0.recalls.isEmpty && $0.connections.count == 1 })
        let quarters = (0..<4).map { quarter in
            delays.filter { $0 >= limit / 8 * quarter && $0 < limit / 8 * (quarter + 1) }.count
        }
        print("drained: the node ended after \(ended.withLock { $0 }), clients asked away by quarters: \(quarters)")
        // A client each 50 ms: fifty in each quarter of the 10 s, but for how they fell to the node's loops.
        #expect(quarters.allSatisfy { (45...55).contains($0) })
        // Each went by itself, in time, and took its session along.
        for client in leaving {
            #expect(client.connections.map(\.nodeId) == ["n1", "n0"])
            #expect(client.connections.last?.resumed == true)
            #expect(!client.events.contains { if case .disconnected(1001, _) = $0 { true } else { false } })
        }
    }

    @Test func `clients that stop reading for 10 s are closed or wait, and come out whole`() async throws {
        let fleet = try await Fleet.start(
            2,
            environment: [
                "MARTLET_CLIENT_MAX_QUEUED_BYTES": "65536", "MARTLET_CLIENT_MAX_MESSAGE_BYTES": "32768",
            ])
        let storm = try await Storm.begin(on: fleet)
        let slow = storm.clients[..<5]
        for client in slow { client.stopReading() }
        try await storm.publish(for: .seconds(10)) {
            // More than all buffers on the way hold.
            let payload = String(repeating: "x", count: 30_000)
            for number in 0..<300 {
                let answer = try await fleet.nodes[number % 2].request(
                    "POST", "/v1/broadcast", body: #"{"to":{"rooms":["red"]},"payload":"\#(payload)"}"#)
                #expect(answer.status == 200)
            }
        }
        for client in slow { client.readAgain() }
        // Whoever is closed for it and does not notice for longer than the grace is told to have left.
        try await storm.judge("slow readers", staying: false)
    }
}
