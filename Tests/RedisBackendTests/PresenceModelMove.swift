import RedisBackend
import TestKit
import TestSupport

/// What happens in a round, once a third of its steps are done; two thirds done, it ends.
enum PresenceModelMove: Hashable, Sendable {
    case none
    case kill, longCut, shortCut, stall
    case pausedRedis
    /// The replica, which has all, is promoted, and the nodes come to it at once.
    case failover
    /// It is promoted before the primary takes its last.
    case lostTail
    /// The nodes come to it by halves, the second much later, and one of that is killed before.
    case splitFailover
    /// The nodes come to it, and back to the first one, which has gone on and knows nothing of it.
    case thereAndBack
    /// The primary follows it with what it was promoted with, and is a primary again, in one process.
    case demotion
    /// The primary is killed, and starts with an older file.
    case olderFile
    /// The primary loads an older file, and keeps its name and its connections.
    case setBack
    case clockStep
    /// A node is killed as the clock steps.
    case killAtClockStep
    /// Of the primary, or of one of them.
    case refusal(RedisRefusal)
    case shard(PresenceModelShardMove)
}

extension ModelRun {
    /// By so many seconds clocks are off once they have stepped.
    private static let steps = [-36_000, -3600, -60, -2, 2, 60, 3600, 36_000]

    func begin(_ move: PresenceModelMove, at slot: Int) async throws {
        switch move {
        case .none, .failover:
            break
        case .kill:
            try await kill(slot)
        case .longCut, .shortCut:
            model.doubt(slot: slot)
            try await nodes[slot].cut()
        case .stall:
            model.doubt(slot: slot)
            try await nodes[slot].treat(.hold)
        case .pausedRedis:
            suspend()
            for process in store.processes { process.pause() }
        case .lostTail, .demotion:
            try await servers.caughtUp()
            lose()
            try await servers.part()
        case .splitFailover:
            suspend()
            try await promote()
            try await lead(Array(nodes.indices.prefix(nodes.count / 2)), to: servers.replica)
            try await wait(settings.lease * 3)
            try await kill(nodes.count - 1)
        case .thereAndBack:
            try await promote()
            let before = try await ModelRun.beats(of: living, in: observer.keys.index.name, servers.primary)
            try await lead(Array(nodes.indices), to: servers.replica)
            try await registered(after: before.mapValues(\.incarnation), with: servers.replica)
            lose()
        case .olderFile, .setBack:
            _ = try await servers.primary.cli("SAVE")
            lose()
        case .clockStep:
            try stepClock(of: servers.primary)
        case .killAtClockStep:
            try await kill(slot)
            try stepClock(of: servers.primary)
        case .refusal(let refusal):
            if refusal == .outOfMemory { round.refusesJoins = true } else { suspend() }
            let refusing = try await anyPrimary()
            self.refusing = refusing
            try await refusal.begin(at: refusing)
        case .shard(let move):
            try await begin(move)
        }
    }

    func end(_ move: PresenceModelMove, at slot: Int) async throws {
        switch move {
        case .none:
            break
        case .kill, .killAtClockStep:
            try await replace(slot)
        case .longCut:
            try await wait(settings.lease * 2)
            try await nodes[slot].heal()
        case .shortCut:
            try await nodes[slot].heal()
        case .stall:
            try await wait(settings.lease * 2)
            try await nodes[slot].treat(.pass)
        case .pausedRedis:
            try await wait(settings.lease * 2)
            for process in store.processes { process.resume() }
        case .failover:
            suspend()
            try await promote()
            try await follow()
        case .lostTail, .splitFailover:
            suspend()
            try await follow()
        case .thereAndBack:
            suspend()
            try await lead(Array(nodes.indices), to: servers.primary)
            try await servers.follow()
        case .demotion:
            suspend()
            try await servers.demoteAndPromote()
            try await servers.follow()
        case .olderFile:
            suspend()
            try servers.primary.restart(keepingData: true)
            try await servers.caughtUp()
        case .setBack:
            suspend()
            // The nodes see it by beats that Redis has forgotten.
            try await wait(settings.lease)
            _ = try await servers.primary.cli("DEBUG", "RELOAD", "NOSAVE")
            try await servers.part()
            try await servers.follow()
        case .clockStep:
            try stepClock(of: servers.primary)
        case .refusal(let refusal):
            try await wait(settings.lease * 2)
            if let refusing { try await refusal.end(at: refusing) }
        case .shard(let move):
            try await end(move)
        }
    }

    private func anyPrimary() async throws -> RedisServerProcess {
        switch store {
        case .oneServer(let servers): servers.primary
        case .cluster(let group): try await group.primary(ofShard: random(group.shards.count)).process
        }
    }

    /// From here on nothing is done to half of the users.
    private func rest() {
        if round.resting.isEmpty { round.resting = Set(PresenceModelTests.users.filter { _ in random(2) == 0 }) }
    }

    func suspend() {
        rest()
        model.stop(slots: nodes.count)
    }

    /// What is done from here on will be lost.
    func lose() {
        rest()
        round.hasLeapt = true
        model.willBeLost = true
    }

    private func stepClock(of server: RedisServerProcess) throws {
        round.hasLeapt = true
        round.canForget = true
        try server.setClock(off: .seconds(ModelRun.steps[random(ModelRun.steps.count)]))
    }

    /// Makes the replica, which has all, a primary, whose clock may differ.
    private func promote() async throws {
        round.hasLeapt = true
        if random(2) == 0 { try stepClock(of: servers.replica) }
        try await servers.caughtUp()
        try await servers.part()
    }

    /// Leads all nodes to the replica, which was promoted, and has the former primary follow it.
    private func follow() async throws {
        try await servers.exchange()
        try await lead(Array(nodes.indices), to: servers.primary)
        try await servers.follow()
    }

    /// Leads nodes to a server, and cuts what they have with another.
    private func lead(_ slots: [Int], to server: RedisServerProcess) async throws {
        for slot in slots where !dead.contains(slot) {
            try await nodes[slot].proxy.redirect(to: .unix(path: server.socketPath))
            try await nodes[slot].proxy.cutAll()
        }
    }

    /// Waits until all nodes have taken another incarnation with a server, and know it.
    private func registered(after before: [String: Int64], with server: RedisServerProcess) async throws {
        let (names, index) = (living, observer.keys.index.name)
        try await eventually("the nodes' registration") {
            try await ModelRun.beats(of: names, in: index, server).allSatisfy {
                $0.value.incarnation > before[$0.key] ?? 0 && $0.value.number > 0
            }
        }
    }

    private var living: [String] { nodes.indices.filter { !dead.contains($0) }.map { nodes[$0].name } }

    /// The last beat of each node that the index shows.
    private static func beats(
        of names: [String], in index: String, _ server: RedisServerProcess
    ) async throws -> [String: LastBeat] {
        var beats: [String: LastBeat] = [:]
        for name in names {
            let entry = try await server.cli("HGET", index, name).split(separator: " ")
            guard entry.count > 2, let incarnation = Int64(entry[1]), let number = Int64(entry[2]) else { continue }
            beats[name] = LastBeat(incarnation: incarnation, number: number)
        }
        return beats
    }
}
