import TestKit
import Testing
import TestSupport

/// The storm while Redis becomes another: nobody is told to have gone, nothing comes twice or out of order, and what is
/// missing is what the log lost, behind a gap.
@Suite("Streams and presence over failovers", .serialized)
struct FailoverFaults {
    @Test func `an ordered failover under Sentinel, and a node started while the old primary still serves`()
        async throws
    {
        let group = try await SentinelGroup.start()
        let fleet = try await Fleet.over(group.servers[0]) { _, _ in group.url }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(16)) {
            try await fleet.wait(.seconds(1))
            _ = try await group.failOver()
            // Led to the new primary, while what the others have with the old one goes on for some ten seconds.
            let late = try await NodeProcess.start(nodeId: "late", redisURL: group.url)
            storm.nodes.withLock { $0.append(late) }
            try await group.demoted(group.servers[0])
        }
        try await storm.judge("ordered failover", allowsGaps: true)
        group.stop()
    }

    @Test func `the primary killed under Sentinel, and a node started before another is promoted`() async throws {
        let group = try await SentinelGroup.start()
        let fleet = try await Fleet.over(group.servers[0]) { _, _ in group.url }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(12)) {
            try await fleet.wait(.seconds(1))
            group.servers[0].kill9()
            let late = try await NodeProcess.start(nodeId: "late", redisURL: group.url)
            storm.nodes.withLock { $0.append(late) }
            _ = try await group.promoted()
        }
        try await storm.judge("crash failover", ledger: try await group.promoted(), allowsGaps: true)
        group.stop()
    }

    @Test func `a primary demoted and promoted again in one process`() async throws {
        let pair = try await RedisReplicaPair.start(nodes: 2)
        let fleet = try await Fleet.over(pair.primary) { number, _ in pair.urls[number] }
        let storm = try await Storm.begin(on: fleet)
        try await storm.publish(for: .seconds(10)) {
            try await fleet.wait(.seconds(1))
            try await pair.promote()
            // What the old one takes from here on is lost once it follows the other.
            try await fleet.wait(.seconds(1))
            try await pair.demotePrimary()
            try await pair.promotePrimary()
        }
        try await storm.judge("demoted and promoted", allowsGaps: true)
        try await pair.stop()
    }
}
