import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// The storm over a Cluster whose slots move and whose servers fail: nobody is told to have gone, nothing comes twice or out
/// of order, and what is missing is what a failover lost, behind a gap.
@Suite("Streams and presence over a Cluster", .serialized)
struct ClusterFaults {
    /// The slots of the storm's rooms.
    private static func slots(in group: ClusterGroup) async throws -> [Int] {
        try await group.slots(of: Storm.rooms.map { Partition.tags[Partition(of: $0).number] })
    }

    private static func group(
        _ engine: RedisServerProcess.Engine = .redis, _ change: (inout ClusterGroup.Options) -> Void = { _ in }
    ) async throws -> ClusterGroup {
        var options = ClusterGroup.Options()
        options.engine = engine
        change(&options)
        return try await ClusterGroup.start(options)
    }

    @Test func `the primaries of the rooms and of the index killed, and a node started before others are promoted`()
        async throws
    {
        let group = try await Self.group()
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        let index = try await group.slot(of: "nodes")
        let shard = try await group.primary(of: index).shard
        let primaries = try await each(Self.slots(in: group)) { try await group.primary(of: $0) }
        let first = try #require(primaries.first { $0.shard != shard })
        try await storm.publish(for: .seconds(13)) {
            try await fleet.wait(.seconds(1))
            first.process.kill9()
            let late = try await NodeProcess.start(nodeId: "late", redisURL: group.url)
            storm.nodes.withLock { $0.append(late) }
            _ = try await group.promoted(after: first)
            let second = try await group.primary(of: index)
            second.process.kill9()
            _ = try await group.promoted(after: second)
        }
        try await storm.judge("crash failovers in a Cluster", allowsGaps: true)
        try await group.stop()
    }

    @Test func `a primary that stands still until another is in its place, and goes on`() async throws {
        let group = try await Self.group()
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(9)) {
            try await fleet.wait(.seconds(1))
            let first = try await group.primary(of: Self.slots(in: group)[0])
            first.process.pause()
            _ = try await group.promoted(after: first)
            try await group.resume(first)
        }
        try await storm.judge("a primary that wakes in a Cluster", allowsGaps: true)
        try await group.stop()
    }

    @Test func `a failover by order every three seconds for a minute`() async throws {
        let group = try await Self.group()
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(61)) {
            let start = ContinuousClock.now
            for turn in 0..<20 {
                let due = start + .seconds(3) * turn
                try await fleet.wait(max(.zero, due - ContinuousClock.now))
                _ = try await group.failOver(turn % 3)
            }
        }
        try await storm.judge("ordered failovers in a Cluster")
        try await group.stop()
    }

    /// Of the index's shard what is lost are beats, of the rooms' shard messages that their followers have seen.
    @Test(arguments: ["rooms", "index"])
    func `a replica promoted that lacks the last two seconds, and then its old primary in its place again`(
        _ part: String
    ) async throws {
        let group = try await Self.group { $0.isSeverable = true }
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        let slot = part == "index" ? try await group.slot(of: "nodes") : try await Self.slots(in: group)[0]
        try await storm.publish(for: .seconds(20)) {
            try await fleet.wait(.seconds(1))
            let old = try await group.primary(of: slot)
            let replica = try #require(group.shards[old.shard].first { $0 !== old })
            try await group.sever(ClusterGroup.Side([old]), from: ClusterGroup.Side([replica]))
            try await fleet.wait(.seconds(2))
            old.process.kill9()
            try await group.mend()
            _ = try await group.promoted(after: old)
            try await fleet.wait(.seconds(2))
            try await group.restart(old)
            let back = try await group.failOver(old.shard)
            #expect(back === old)
        }
        try await storm.judge("a replica behind the \(part) in a Cluster", allowsGaps: true)
        try await group.stop()
    }

    @Test func `slots moved to and fro, key by key`() async throws {
        let group = try await Self.group()
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(10)) {
            for turn in 0..<3 {
                try await fleet.wait(.seconds(1))
                let slots = try await Self.slots(in: group) + [group.slot(of: "nodes")]
                try await group.moveSlots(slots, to: turn, .classic(keysAtOnce: 10, pause: .milliseconds(20)))
            }
        }
        try await storm.judge("slots moved key by key")
        // The index went three times: a node that took each of its beats for another server's did nothing but register.
        for node in fleet.nodes { #expect(node.log.split(separator: "it registers again").count < 12) }
        try await group.stop()
    }

    @Test func `slots moved to and fro at once, a shard added and another taken away`() async throws {
        let group = try await Self.group(.valkey)
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(14)) {
            let slots = try await Self.slots(in: group) + [group.slot(of: "nodes")]
            try await group.moveSlots(slots, to: 1, .atomic)
            let added = try await group.addShard()
            try await group.moveSlots(slots, to: added, .atomic)
            try await group.removeShard(1, inUse: slots, .atomic)
        }
        try await storm.judge("slots moved at once")
        try await group.stop()
    }

    /// The clients of the minority's node go nowhere else, since it stands as it stood.
    @Test func `the index's primary and a node parted from all others, and joined again within the grace`() async throws
    {
        let group = try await Self.group { $0.isSeverable = true }
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(25)) {
            try await fleet.wait(.seconds(1))
            let minority = try await group.primary(of: group.slot(of: "nodes"))
            let others = group.servers.filter { $0 !== minority }
            try await group.sever(
                ClusterGroup.Side([minority], nodes: ["martlet:n1"]),
                from: ClusterGroup.Side(others, nodes: ["martlet:n0"]))
            try await fleet.wait(.seconds(15))
            try await group.mend()
        }
        try await storm.judge("a minority with a node", allowsGaps: true, mayLose: true)
        try await group.stop()
    }

    @Test func `one shard of three away, then two of them`() async throws {
        let group = try await Self.group()
        let fleet = try await Fleet.over(group)
        let storm = try await Storm.begin(on: fleet)
        let index = try await group.primary(of: group.slot(of: "nodes")).shard
        try await storm.publish(for: .seconds(50)) {
            try await fleet.wait(.seconds(1))
            let other = (index + 1) % 3
            for server in group.shards[other] { server.process.pause() }
            try await fleet.wait(.seconds(30))
            for server in group.shards[other] { server.process.resume() }
            try await group.agreed()
            try await fleet.wait(.seconds(1))
            let two = group.shards[index] + group.shards[other]
            for server in two { server.process.pause() }
            try await fleet.wait(.seconds(10))
            for server in two { server.process.resume() }
            try await group.agreed()
        }
        try await storm.judge("shards away", allowsGaps: true)
        try await group.stop()
    }
}
