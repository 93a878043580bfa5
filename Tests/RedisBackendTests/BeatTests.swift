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
    private let own = Beat.Node("n1", instance: "own", lease: .seconds(30))

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func beat(
        _ mode: Beat.Mode, of node: Beat.Node? = nil, left: String = "", declaring declaration: Declaration? = nil
    ) async throws -> Beat.Answer {
        let description = "\(Format.own.text) version=v"
        let beat = Beat(mode, of: node ?? own, description: description, left: left, declaring: declaration)
        return try await observer.store.call(beat)
    }

    /// With consent to what the deployment bears.
    private func registering(after: Int64 = 0, over former: LastBeat? = nil) async throws -> Beat.Mode {
        let answer = try await beat(.register(after: after, nil))
        guard case .changed(let found) = answer, case .join(let format) = Format.own.verdict(on: found) else {
            throw Unexpected(description: "\(answer)")
        }
        return .register(after: after, over: former, Beat.Consent(to: found, format))
    }

    private func register(
        _ node: Beat.Node? = nil, after: Int64 = 0, over former: LastBeat? = nil, left: String = ""
    ) async throws -> (incarnation: Int64, round: Int64) {
        let mode = try await registering(after: after, over: former)
        let answer = try await beat(mode, of: node, left: left)
        guard case .registered(let incarnation, let round, _) = answer else {
            throw Unexpected(description: "\(answer)")
        }
        return (incarnation, round)
    }

    private func index(
        _ incarnation: Int64, beat number: Int64 = 0, declaring declaration: Declaration? = nil
    ) async throws -> Beat.Index {
        let answer = try await beat(.renew(incarnation: incarnation, beat: number), declaring: declaration)
        guard case .renewed(let index) = answer else { throw Unexpected(description: "\(answer)") }
        return index
    }

    private struct Unexpected: Error, CustomStringConvertible {
        let description: String
    }

    private func put(_ node: String, _ incarnation: Int64, beat: Int64, instance: String = "other") async throws {
        _ = try await redis.cli(
            "HSET", observer.keys.index.name, node, "\(instance) \(incarnation) \(beat) 1000 format=2 reads=2 version=v"
        )
    }

    /// As though what Redis holds had been copied from another server.
    private func becomeCopy() async throws {
        _ = try await redis.cli("HSET", observer.keys.server.name, "id", "another")
    }

    @Test func `a name is another's until that was seen not to beat, and what was seen is still so`() async throws {
        let first = try await register().incarnation
        try await put("n1", 7, beat: 4)
        let tenant = LastBeat(incarnation: 7, number: 4)
        #expect(try await beat(.renew(incarnation: first, beat: 0)) == .taken(by: tenant))
        #expect(try await beat(try await registering(after: first)) == .taken(by: tenant))
        let earlier = LastBeat(incarnation: 7, number: 3)
        #expect(try await beat(try await registering(after: first, over: earlier)) == .taken(by: tenant))
        #expect(try await register(after: first, over: tenant).incarnation > first)
    }

    @Test
    func `who is declared dead goes, unless it has beaten since, or the beat comes much later or by another clock`()
        async throws
    {
        let own = try await register().incarnation
        try await put("n2", 5, beat: 9)
        let (dead, alive) = (LastBeat(incarnation: 5, number: 9), LastBeat(incarnation: 5, number: 8))
        let now = try await index(own).now
        for declaration in [
            Declaration(expecting: now, dead: ["n2": alive]), Declaration(expecting: now - 60_000, dead: ["n2": dead]),
            Declaration(expecting: now + 60_000, dead: ["n2": dead]),
        ] {
            #expect(try await index(own, declaring: declaration).nodes.count == 2)
        }
        let index = try await index(own, declaring: Declaration(expecting: now, dead: ["n2": dead]))
        #expect(index.meeting == ServerMeeting(from: 0, age: 0))
        #expect(index.nodes.map(\.name) == ["n1"])
    }

    @Test func `no incarnation is given twice, however far Redis's clock is set back`() async throws {
        let first = try await register().incarnation
        _ = try await redis.cli("HSET", observer.keys.server.name, "newest", "\(first + 3_600_000)")
        let second = try await register(Beat.Node("n2", instance: "i2", lease: .seconds(30))).incarnation
        #expect(second == first + 3_600_001)
        #expect(try await index(first).newest == second)
    }

    @Test func `a beat hears who is not able by its own word, and takes whoever says nothing of it for able`()
        async throws
    {
        let own = try await register().incarnation
        let entry = "other 5 1 1 format=2 reads=2 started=1 connections=0 rooms=0 processor=0.0 version=v"
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
        try await put("n2", ahead, beat: 4)
        try await becomeCopy()
        #expect(try await beat(.renew(incarnation: before, beat: 0)) == .lost)
        let again = try await register(after: before)
        #expect(again.incarnation > ahead && again.round == 0)
        let index = try await index(again.incarnation)
        #expect(index.meeting.from > ahead && index.meeting.from <= again.incarnation)
        #expect(try await self.index(again.incarnation).meeting.from == index.meeting.from)
    }

    @Test(arguments: [3_600_000, -3_600_000, 700])
    func `how long nodes have met a server grows by what passes between beats, and by a lease at most`(passed: Int64)
        async throws
    {
        try await put("stranger", 5, beat: 1)
        try await becomeCopy()
        let own = try await register().incarnation
        let seen = try await index(own).now - passed
        _ = try await redis.cli("HSET", observer.keys.server.name, "seen", "\(seen)", "age", "100")
        let age = try await index(own).meeting.age
        switch passed {
        case 3_600_000: #expect(age == 30_100)
        case -3_600_000: #expect(age == 100)
        default: #expect((800...30_100).contains(age))
        }
    }

    @Test func `a beat before the one that was told is a Redis set back: it counts as another, once`() async throws {
        let first = try await register()
        let told = try #require(try await index(first.incarnation).nodes.first?.last.number)
        try await put("n1", first.incarnation, beat: told - 1, instance: "own")
        #expect(try await beat(.renew(incarnation: first.incarnation, beat: told)) == .lost)
        let second = try await register(after: first.incarnation)
        #expect(second.round == first.round + 1)
        #expect(try await index(second.incarnation).meeting.from > first.incarnation)
        #expect(try await register(Beat.Node("n2", instance: "i2", lease: .seconds(30))).round == second.round)
    }

    @Test(arguments: [true, false])
    func `the first node that comes back from another server gives the others the grace, those behind it do not`(
        renews: Bool
    ) async throws {
        let second = Beat.Node("n2", instance: "i2", lease: .seconds(30))
        let (first, other) = (try await register(), try await register(second))
        try await put("n1", first.incarnation, beat: 4, instance: "own")
        try await put("n2", other.incarnation, beat: 4, instance: "i2")
        // Both have been registered elsewhere since.
        let last = first.incarnation + 100_000
        if renews { #expect(try await beat(.renew(incarnation: last, beat: 9), left: "else") == .lost) }
        let back = try await register(after: last, left: "else")
        #expect(back.round == first.round + 1)
        let index = try await index(back.incarnation)
        #expect(index.meeting.from > max(first.incarnation, other.incarnation))
        #expect(index.meeting.from <= back.incarnation)
        #expect(Set(index.nodes.map(\.name)) == ["n1", "n2"])

        #expect(try await register(second, after: last, left: "else").round == back.round)
        let third = Beat.Node("n3", instance: "i3", lease: .seconds(30))
        #expect(try await register(third, after: last, left: "else").round == back.round)
        #expect(try await self.index(back.incarnation).meeting.from == index.meeting.from)
        // Away once more, and back.
        #expect(try await register(after: last, left: "else").round == back.round + 1)
    }

    @Test(arguments: [true, false])
    func `a server that has forgotten all is met once, whoever comes to it next`(isOwn: Bool) async throws {
        #expect(try await beat(.renew(incarnation: 5, beat: 9), left: "else") == .lost)
        let next = isOwn ? own : Beat.Node("n2", instance: "i2", lease: .seconds(30))
        #expect(try await register(next, after: 5, left: "else").round == 0)
    }

    @Test func `one that was never here gives it where nobody is here, and none that has come from nowhere does`()
        async throws
    {
        let second = Beat.Node("n2", instance: "i2", lease: .seconds(30))
        let other = try await register(second)
        #expect(try await register().round == other.round)
        _ = try await redis.cli("HDEL", observer.keys.index.name, "n1")
        #expect(try await register(after: 5, left: "else").round == other.round)
        _ = try await redis.cli("HDEL", observer.keys.index.name, "n1")
        try await put("n2", other.incarnation, beat: 4, instance: "i2")
        _ = try await redis.cli("HSET", observer.keys.server.name, "at", "1000")
        let back = try await register(after: 5, left: "else")
        #expect(back.round == other.round + 1)
        #expect(try await index(back.incarnation).meeting.from > other.incarnation)
    }

    @Test func `an older registration of the same process is a Redis set back as well`() async throws {
        let first = try await register()
        try await put("n1", first.incarnation - 1, beat: 99, instance: "own")
        #expect(try await beat(.renew(incarnation: first.incarnation, beat: 0)) == .lost)
        #expect(try await register(after: first.incarnation).round == first.round + 1)
    }

    @Test func `a beat behind the one that was told is none, since answers get lost, whatever the clock did since`()
        async throws
    {
        let first = try await register()
        let told = try #require(try await index(first.incarnation).nodes.first?.last.number)
        _ = try await index(first.incarnation, beat: told)
        let entry = "own \(first.incarnation) \(told + 1) 9999999999999 format=2 reads=2 version=v"
        _ = try await redis.cli("HSET", observer.keys.index.name, "n1", entry)
        #expect(try await index(first.incarnation, beat: told).meeting == ServerMeeting(from: 0, age: 0))
    }

    @Test func `the format is raised only by a node that may declare others dead, and spares nobody`() async throws {
        let own = try await register().incarnation
        _ = try await redis.cli("HSET", observer.keys.deployment.name, "format", "1")
        let now = try await index(own).now
        let right = Declaration(expecting: now, dead: [:])
        #expect(try await index(own).format == 1)
        #expect(try await index(own, declaring: Declaration(expecting: now - 60_000, dead: [:])).format == 1)
        // Others may come from another server yet.
        _ = try await redis.cli("HSET", observer.keys.server.name, "from", "1", "age", "0")
        #expect(try await index(own, declaring: right).format == 1)
        _ = try await redis.cli("HSET", observer.keys.server.name, "age", "30000")
        #expect(try await index(own, declaring: right).format == Format.own.writes)
        #expect(try await redis.cli("HGET", observer.keys.deployment.name, "format") == "\(Format.own.writes)")
    }

    @Test func `the format is raised by the beat that declares the last older node dead, and by none before it`()
        async throws
    {
        let own = try await register().incarnation
        _ = try await redis.cli("HSET", observer.keys.deployment.name, "format", "1")
        let older = "other 5 9 1000 format=1 reads=1 version=v"
        _ = try await redis.cli("HSET", observer.keys.index.name, "n2", older)
        let now = try await index(own).now
        #expect(try await index(own, declaring: Declaration(expecting: now, dead: [:])).format == 1)
        let dead = ["n2": LastBeat(incarnation: 5, number: 9)]
        #expect(try await index(own, declaring: Declaration(expecting: now, dead: dead)).format == Format.own.writes)
    }

    @Test func `who has not agreed to what the deployment bears leaves no trace`() async throws {
        guard case .changed(let empty) = try await beat(.register(after: 0, nil)) else {
            Issue.record("registered without consent")
            return
        }
        #expect(empty == Format.Found())
        try await put("n2", 5, beat: 1)
        _ = try await redis.cli("HSET", observer.keys.deployment.name, "partitions", "p", "format", "7", "reads", "6")
        guard case .changed(let found) = try await beat(.register(after: 0, Beat.Consent(to: empty, .own))) else {
            Issue.record("registered with another's consent")
            return
        }
        #expect(
            found
                == Format.Found(
                    partitions: "p", borne: Format(writes: 7, reads: 6), nodes: [Format(writes: 2, reads: 2)]))
        #expect(try await redis.cli("KEYS", "*").split(separator: "\n").count == 2)
        #expect(try await redis.cli("HLEN", observer.keys.index.name) == "1")
    }

    @Test func `a partition begins one term for a server set back, whoever tells it, and however often`() async throws {
        let store = observer.store
        let partition = Partition(number: 3)
        #expect(try await store.call(MeetServer(in: partition)).term == 1)
        #expect(try await store.call(MeetServer(in: partition, round: 1)).term == 2)
        #expect(try await store.call(MeetServer(in: partition, round: 1)).term == 2)
        #expect(try await store.call(MeetServer(in: partition)).term == 2)
        _ = try await redis.cli("HSET", observer.keys.state(partition).name, "run", "another")
        #expect(try await store.call(MeetServer(in: partition)).term == 3)
        #expect(try await store.call(MeetServer(in: partition, round: 1)).term == 3)
    }
}
