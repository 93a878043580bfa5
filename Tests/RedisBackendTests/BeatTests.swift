import Foundation
import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// What a beat is answered, by a real Redis.
struct BeatTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let own = Beat.Node("n1", instance: "own", lease: .seconds(3))
    private let always: Int64 = 9_999_999_999_999

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func beat(
        _ mode: Beat.Mode, of node: Beat.Node? = nil, declaringUntil: Int64 = 0, sparing: Int64 = 0, left: String = ""
    ) async throws -> Beat.Answer {
        let beat = Beat(
            mode, of: node ?? own, description: "version=v", declaringUntil: declaringUntil, sparing: sparing,
            left: left)
        return try await observer.store.call(beat)
    }

    private func register(
        _ node: Beat.Node? = nil, after: Int64 = 0, left: String = ""
    ) async throws -> (incarnation: Int64, round: Int64) {
        let answer = try await beat(.register(after: after), of: node, left: left)
        guard case .registered(let incarnation, let round) = answer else { throw Unexpected(description: "\(answer)") }
        return (incarnation, round)
    }

    private func index(
        _ incarnation: Int64, leaseEnd: Int64 = 0, declaringUntil: Int64 = 0, sparing: Int64 = 0
    ) async throws -> Beat.Index {
        let mode = Beat.Mode.renew(incarnation: incarnation, leaseEnd: leaseEnd)
        let answer = try await beat(mode, declaringUntil: declaringUntil, sparing: sparing)
        guard case .renewed(let index) = answer else { throw Unexpected(description: "\(answer)") }
        return index
    }

    private struct Unexpected: Error, CustomStringConvertible {
        let description: String
    }

    private func put(_ node: String, _ incarnation: Int64, leaseEnd: Int64, instance: String = "other") async throws {
        _ = try await redis.cli(
            "HSET", observer.keys.index.name, node, "\(instance) \(incarnation) \(leaseEnd) version=v")
    }

    /// As though what Redis holds had been copied from another server.
    private func becomeCopy() async throws {
        _ = try await redis.cli("HSET", observer.keys.server.name, "id", "another")
    }

    @Test func `a name is taken only while the lease of whoever has it runs`() async throws {
        let first = try await register().incarnation
        try await put("n1", 7, leaseEnd: always)
        #expect(try await beat(.renew(incarnation: first, leaseEnd: 0)) == .taken)
        #expect(try await beat(.register(after: first)) == .taken)
        try await put("n1", 7, leaseEnd: 1000)
        #expect(try await beat(.renew(incarnation: first, leaseEnd: 0)) == .lost)
        #expect(try await register(after: first).incarnation > first)
    }

    @Test func `on a server that is the first, whoever lapses is dead at once`() async throws {
        let own = try await register().incarnation
        try await put("n2", 5, leaseEnd: 1000)
        let index = try await index(own, declaringUntil: always)
        #expect(index.meeting == ServerMeeting(since: 0, from: 0))
        #expect(index.nodes.map(\.name) == ["n1"])
    }

    @Test func `a beat hears who is not able by its own word, and takes whoever says nothing of it for able`()
        async throws
    {
        let own = try await register().incarnation
        let entry = "other 5 \(always) started=1 connections=0 rooms=0 processor=0.0 version=v"
        for (node, word) in [("n2", ""), ("n3", " able=1"), ("n4", " able=0"), ("n5", " able=0 reason=a")] {
            _ = try await redis.cli("HSET", observer.keys.index.name, node, entry + word)
        }
        let nodes = try await index(own).nodes
        #expect(nodes.filter { $0.ability == .unable }.map(\.name).sorted() == ["n4", "n5"])
        #expect(nodes.count == 5)
    }

    @Test func `an index that was copied from another server is met once, and registered in anew, above all it holds`()
        async throws
    {
        let before = try await register().incarnation
        let ahead = before + 1_000_000
        try await put("n2", ahead, leaseEnd: 1000)
        try await becomeCopy()
        #expect(try await beat(.renew(incarnation: before, leaseEnd: 0)) == .lost)
        let again = try await register(after: before)
        #expect(again.incarnation > ahead && again.round == 0)
        let index = try await index(again.incarnation)
        #expect(index.meeting.from > ahead && index.meeting.from <= again.incarnation)
        #expect(index.meeting.since > 0 && index.meeting.since <= index.now)
        #expect(try await self.index(again.incarnation).meeting == index.meeting)
    }

    @Test func `whoever registered with another server is spared, whoever registered with this one is not`()
        async throws
    {
        try await put("stranger", 5, leaseEnd: 1000)
        try await becomeCopy()
        let own = try await register().incarnation
        let from = try await index(own).meeting.from
        try await put("fellow", from, leaseEnd: 1000)
        let spared = try await index(own, declaringUntil: always, sparing: from)
        #expect(Set(spared.nodes.map(\.name)) == ["n1", "stranger"])
        #expect(try await index(own, declaringUntil: always).nodes.map(\.name) == ["n1"])
    }

    @Test func `a lease that ends earlier than was told is a Redis set back: it counts as another, once`() async throws
    {
        let first = try await register()
        let told = try #require(try await index(first.incarnation).nodes.first?.end)
        try await put("n1", first.incarnation, leaseEnd: told - 1, instance: "own")
        #expect(try await beat(.renew(incarnation: first.incarnation, leaseEnd: told)) == .lost)
        let second = try await register(after: first.incarnation)
        #expect(second.round == first.round + 1)
        let index = try await index(second.incarnation)
        #expect(index.meeting.since > 0 && index.meeting.from > first.incarnation)
        #expect(try await register(Beat.Node("n2", instance: "i2", lease: .seconds(3))).round == second.round)
    }

    @Test(arguments: [true, false])
    func `the first node that comes back from another server gives the others the grace, those behind it do not`(
        renews: Bool
    ) async throws {
        let second = Beat.Node("n2", instance: "i2", lease: .seconds(3))
        let (first, other) = (try await register(), try await register(second))
        try await put("n1", first.incarnation, leaseEnd: 1000, instance: "own")
        try await put("n2", other.incarnation, leaseEnd: 1000, instance: "i2")
        // Both have been registered elsewhere since.
        let last = first.incarnation + 100_000
        if renews { #expect(try await beat(.renew(incarnation: last, leaseEnd: always), left: "else") == .lost) }
        let back = try await register(after: last, left: "else")
        #expect(back.round == first.round + 1)
        let index = try await index(back.incarnation)
        #expect(index.meeting.since > 0)
        #expect(index.meeting.from > max(first.incarnation, other.incarnation))
        #expect(index.meeting.from <= back.incarnation)
        let spared = try await self.index(back.incarnation, declaringUntil: always, sparing: index.meeting.from)
        #expect(Set(spared.nodes.map(\.name)) == ["n1", "n2"])

        #expect(try await register(second, after: last, left: "else").round == back.round)
        let third = Beat.Node("n3", instance: "i3", lease: .seconds(3))
        #expect(try await register(third, after: last, left: "else").round == back.round)
        #expect(try await self.index(back.incarnation).meeting == index.meeting)
        // Away once more, and back.
        #expect(try await register(after: last, left: "else").round == back.round + 1)
    }

    @Test(arguments: [true, false])
    func `a server that has forgotten all is met once, whoever comes to it next`(isOwn: Bool) async throws {
        #expect(try await beat(.renew(incarnation: 5, leaseEnd: always), left: "else") == .lost)
        let next = isOwn ? own : Beat.Node("n2", instance: "i2", lease: .seconds(3))
        #expect(try await register(next, after: 5, left: "else").round == 0)
    }

    @Test func `one that was never here gives it where nobody is here, and none that has come from nowhere does`()
        async throws
    {
        let second = Beat.Node("n2", instance: "i2", lease: .seconds(3))
        let other = try await register(second)
        #expect(try await register().round == other.round)
        _ = try await redis.cli("HDEL", observer.keys.index.name, "n1")
        #expect(try await register(after: 5, left: "else").round == other.round)
        _ = try await redis.cli("HDEL", observer.keys.index.name, "n1")
        try await put("n2", other.incarnation, leaseEnd: 1000, instance: "i2")
        _ = try await redis.cli("HSET", observer.keys.server.name, "at", "1000")
        let back = try await register(after: 5, left: "else")
        #expect(back.round == other.round + 1)
        #expect(try await index(back.incarnation).meeting.from > other.incarnation)
    }

    @Test func `an older registration of the same process is a Redis set back as well`() async throws {
        let first = try await register()
        try await put("n1", first.incarnation - 1, leaseEnd: always, instance: "own")
        #expect(try await beat(.renew(incarnation: first.incarnation, leaseEnd: 0)) == .lost)
        #expect(try await register(after: first.incarnation).round == first.round + 1)
    }

    @Test func `a lease that ends later than was told is none, since answers get lost`() async throws {
        let first = try await register()
        let told = try #require(try await index(first.incarnation).nodes.first?.end)
        try await put("n1", first.incarnation, leaseEnd: told + 500, instance: "own")
        #expect(try await index(first.incarnation, leaseEnd: told).meeting == ServerMeeting(since: 0, from: 0))
    }

    @Test func `a partition begins one term for a server set back, whoever tells it, and however often`() async throws {
        let store = observer.store
        let partition = Partition(number: 3)
        #expect(try await store.call(MeetServer(in: partition)) == 1)
        #expect(try await store.call(MeetServer(in: partition, round: 1)) == 2)
        #expect(try await store.call(MeetServer(in: partition, round: 1)) == 2)
        #expect(try await store.call(MeetServer(in: partition)) == 2)
        _ = try await redis.cli("HSET", observer.keys.state(partition).name, "run", "another")
        #expect(try await store.call(MeetServer(in: partition)) == 3)
        #expect(try await store.call(MeetServer(in: partition, round: 1)) == 3)
    }
}
