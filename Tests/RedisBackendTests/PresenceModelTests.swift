import Foundation
import TestKit
import Testing

/// Random connects, joins, losses and faults on real nodes, compared with the model after each round.
@Suite("Presence against a model", .serialized)
struct PresenceModelTests {
    enum Fault: CaseIterable {
        case none, kill, longCut, shortCut, stall, pausedRedis
    }

    private static let slots = 4
    private static let rooms = (0..<6).map { "room-\($0)" }
    private static let users = (0..<24).map { "user-\($0)" }

    /// What happens in the rounds of a run, one fault after another.
    static let runs: [[Fault]] = [
        [.none, .kill, .longCut, .pausedRedis], [.shortCut, .kill, .none, .stall],
        [.pausedRedis, .longCut, .kill, .shortCut], [.stall, .longCut],
    ]

    @Test(arguments: runs)
    func `after hundreds of random steps and faults, rosters, counts and ledger are the model's`(faults: [Fault])
        async throws
    {
        let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap(UInt64.init)
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        print("presence model: seed \(seed)")
        let run = try await ModelRun(seed: seed, slots: PresenceModelTests.slots)
        for (round, fault) in faults.enumerated() {
            try await play(run, fault, steps: 240)
            try await run.settle(
                "round \(round), \(fault), seed \(seed)", users: PresenceModelTests.users,
                rooms: PresenceModelTests.rooms)
        }
        print("presence model: \(run.steps) steps, \(run.resumed) sessions gone on with, \(run.told) transitions told")
        try await run.stop()
    }

    private func play(_ run: ModelRun, _ fault: Fault, steps: Int) async throws {
        let slot = run.random(PresenceModelTests.slots)
        for step in 0..<steps {
            if step == steps / 3 { try await begin(fault, run, slot) }
            if step == 2 * steps / 3 { try await end(fault, run, slot) }
            try await run.step(users: PresenceModelTests.users, rooms: PresenceModelTests.rooms)
        }
    }

    private func begin(_ fault: Fault, _ run: ModelRun, _ slot: Int) async throws {
        switch fault {
        case .none:
            break
        case .kill:
            run.model.kill(slot: slot)
            run.dead.insert(slot)
            try await run.nodes[slot].kill()
        case .longCut, .shortCut:
            run.model.doubt(slot: slot)
            run.unreachable.insert(slot)
            try await run.nodes[slot].cut()
        case .stall:
            run.model.doubt(slot: slot)
            run.unreachable.insert(slot)
            try await run.nodes[slot].proxy.treat(.toServer, .hold)
        case .pausedRedis:
            run.unreachable = Set(0..<PresenceModelTests.slots)
            for user in PresenceModelTests.users { run.model.doubt(user) }
            run.redis.pause()
        }
    }

    private func end(_ fault: Fault, _ run: ModelRun, _ slot: Int) async throws {
        let lease = run.settings.lease
        switch fault {
        case .none:
            break
        case .kill:
            try await run.replace(slot)
        case .longCut:
            try await run.wait(lease * 2)
            try await run.nodes[slot].heal()
        case .shortCut:
            try await run.nodes[slot].heal()
        case .stall:
            try await run.wait(lease * 2)
            try await run.nodes[slot].proxy.treat(.toServer, .pass)
        case .pausedRedis:
            try await run.wait(lease * 2)
            run.redis.resume()
        }
    }
}
