import TestKit
import TestSupport
import Testing

/// What the tests of Clusters do to one, on real servers of both engines at once.
@Suite("A Cluster of a test's own", .serialized)
struct ClusterGroupFaults {
    /// A group of each engine.
    private static func withGroups(
        _ options: ClusterGroup.Options = ClusterGroup.Options(),
        _ body: @escaping @Sendable (ClusterGroup) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup { tasks in
            for engine in RedisServerProcess.Engine.allCases {
                tasks.addTask {
                    var options = options
                    options.engine = engine
                    let group = try await ClusterGroup.start(options)
                    try await body(group)
                    try await group.stop()
                }
            }
            try await tasks.waitForAll()
        }
    }

    /// Two hundred keys of one slot, for there to be something to move; answers which it is.
    private static func fill(_ tag: String, of group: ClusterGroup) async throws -> Int {
        let slot = try await group.slot(of: tag)
        let keys = (0..<200).map { ["SET", "{\(tag)}\($0)", "\($0)"] }
        let answers = try await group.primary(of: slot).process.ask(keys)
        #expect(answers.allSatisfy { $0 == .text("OK") })
        return slot
    }

    private static func keys(of slot: Int, at server: ClusterServer) async throws -> Int? {
        try await server.process.ask("CLUSTER", "COUNTKEYSINSLOT", "\(slot)").number
    }

    @Test func `a primary is replaced by order, when it stands still and when it dies, and comes back as a replica`()
        async throws
    {
        var options = ClusterGroup.Options()
        options.password = "secret"
        try await Self.withGroups(options) { group in
            let slot = try await Self.fill("a", of: group)
            let first = try await group.primary(of: slot)
            #expect(first === group.shards[first.shard][0])
            #expect(group.url.hasPrefix("redis+cluster://:secret@127.0.0.1:\(group.servers[0].port),"))

            let second = try await group.failOver(first.shard)
            #expect(try await group.primary(of: slot) === second)
            #expect(try await group.primary(ofShard: first.shard) === second)

            second.process.pause()
            #expect(try await group.promoted(after: second) === first)
            try await group.resume(second)
            #expect(try await group.primary(of: slot) === first)

            try await group.kill9(first)
            #expect(try await group.primary(of: slot) === second)
            try await group.restart(first)
            #expect(try await group.primary(of: slot) === second)
            #expect(try await Self.keys(of: slot, at: first) == 200)

            try await group.setPassword("other", ofShard: 0)
            for server in group.servers {
                let answer = try await server.process.ask([["AUTH", "secret"]])[0]
                #expect(answer.errorCode == (server.shard == 0 ? "WRONGPASS" : nil))
            }
            try await group.agreed()
        }
    }

    @Test func `slots move to another shard and back, in steps or at once, and shards come and go`() async throws {
        try await Self.withGroups { group in
            let slots = [try await Self.fill("a", of: group), try await Self.fill("nodes", of: group)]
            let source = try await group.primary(of: slots[0])
            let other = (source.shard + 1) % 3

            let move = try await group.beginMove(of: slots[0], to: other)
            #expect(try await move.moveKeys(50) == 150)
            let all = (0..<200).map { "{a}\($0)" }
            let halfway = try await source.process.ask([["MGET"] + all, ["GET", "{a}none"]])
            #expect(halfway.map { $0.errorCode } == ["TRYAGAIN", "ASK"])
            try await move.finish()
            try await group.agreed()
            #expect(try await group.primary(of: slots[0]) === group.shards[other][0])
            #expect(try await Self.keys(of: slots[0], at: group.shards[other][0]) == 200)
            try await group.moveSlot(slots[0], to: source.shard, .classic(keysAtOnce: 100))
            #expect(try await group.primary(of: slots[0]) === source)

            let isAtomic = group.options.engine == .valkey
            let kind = isAtomic ? ClusterGroup.MoveKind.atomic : .classic(keysAtOnce: 100)
            let added = try await group.addShard()
            try await group.moveSlots(slots, to: added, kind)
            for slot in slots { #expect(try await group.primary(of: slot) === group.shards[added][0]) }
            try await group.removeShard(0, inUse: [], kind)
            try await group.removeShard(added, inUse: slots, kind)
            #expect(group.servers.map(\.shard) == [1, 1, 2, 2])
            for slot in slots {
                let server = try await group.primary(of: slot)
                #expect(try await Self.keys(of: slot, at: server) == 200)
            }
        }
    }

    @Test func `of a parted network the smaller side serves nothing, and its primary is replaced on the other`()
        async throws
    {
        var options = ClusterGroup.Options()
        options.isSeverable = true
        try await Self.withGroups(options) { group in
            let (cut, replica) = (group.shards[0][0], group.shards[0][1])
            let rest = group.servers.filter { $0 !== cut }
            try await group.sever(.init([cut]), from: .init(rest))
            try await eventually("the smaller side's word") { try await !cut.isServing() }
            try await eventually("a primary on the larger side") {
                try await replica.process.ask("ROLE").items.first?.text == "master"
            }
            #expect(try await rest[0].isServing())
            try await group.mend()
            #expect(try await group.primary(ofShard: 0) === replica)
        }
    }
}

extension RedisAnswer {
    fileprivate var errorCode: Substring? {
        if case .error(let text) = self { text.prefix { $0 != " " } } else { nil }
    }
}
