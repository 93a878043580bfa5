import Foundation
import TestKit
import Testing
import TestSupport

/// Random connects, joins, losses and faults on real nodes before real servers, two or a Cluster of six, compared with the
/// model after each round.
///
/// `MARTLET_TEST_RUNS` adds so many further runs of moves by chance to each; their seeds begin at `MARTLET_TEST_SEED`, where
/// that is given.
@Suite("Presence against a model")
struct PresenceModelTests {
    /// Where the registry lies.
    enum Store: CaseIterable {
        case oneServer, cluster
    }

    struct Run: Sendable, CustomTestStringConvertible {
        var store = Store.oneServer
        let seed: UInt64
        let moves: [PresenceModelMove]

        var testDescription: String { "\(store), seed \(seed), " + moves.map { "\($0)" }.joined(separator: ", ") }
    }

    private static let slots = 4
    private static let steps = 120
    static let users = (0..<24).map { "user-\($0)" }
    static let rooms = (0..<6).map { "room-\($0)" }

    /// What happens in the rounds of a run, one move after another, while one server stays the primary, or those of a Cluster.
    static let quietRuns = [
        Run(seed: 1, moves: [.none, .kill, .longCut, .pausedRedis, .refusal(.outOfMemory), .refusal(.noPublish)]),
        Run(seed: 2, moves: [.shortCut, .kill, .none, .stall, .refusal(.noReplicas), .refusal(.failedSave)]),
        Run(seed: 3, moves: [.clockStep, .kill, .refusal(.noScripts), .clockStep]),
        Run(
            store: .cluster, seed: 6,
            moves: [.kill, .longCut, .stall, .shard(.resharding(.other)), .shard(.silence(.index)), .none]),
    ]

    /// The same, where the primary is another again and again, or what it was before.
    static let stormyRuns = [
        Run(seed: 4, moves: [.failover, .lostTail, .splitFailover, .none]),
        Run(seed: 5, moves: [.demotion, .thereAndBack, .olderFile, .setBack, .none]),
        Run(
            store: .cluster, seed: 7,
            moves: [
                .shard(.failover(.index)), .shard(.lostTail(.other)), .shard(.parting(.other)),
                .shard(.heldPrimary(.index)), .shard(.flush),
            ]),
    ]

    /// Further moves of a Cluster, by chance alone: each costs seconds.
    private static let rareShardMoves: [PresenceModelMove] =
        [.index, .other].flatMap { (shard: PresenceModelShardMove.Shard) in
            [
                .failover(shard), .heldPrimary(shard), .crash(shard), .lostTail(shard), .parting(shard),
                .silence(shard), .resharding(shard),
            ].map(PresenceModelMove.shard)
        } + [.none, .shortCut, .pausedRedis, .refusal(.outOfMemory), .refusal(.noReplicas)]

    /// Of moves by chance, some of which are among these alone: a member's grace may outlast a node killed as the clock steps.
    static let furtherRuns: [Run] = {
        let count = ProcessInfo.processInfo.environment["MARTLET_TEST_RUNS"].flatMap { Int($0) } ?? 0
        let further: [(Store, [PresenceModelMove])] = [(.oneServer, [.killAtClockStep]), (.cluster, rareShardMoves)]
        return further.flatMap { store, rare in
            let fixed = (quietRuns + stormyRuns).filter { $0.store == store }.flatMap(\.moves)
            let moves = Set(fixed + rare).sorted { "\($0)" < "\($1)" }
            return (0..<count).map { number in
                let seed = given.map { $0 + UInt64(number) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
                var generator = SplitMix(seed: seed)
                return Run(
                    store: store, seed: seed, moves: (0..<5).compactMap { _ in moves.randomElement(using: &generator) })
            }
        }
    }()

    private static let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) }

    @Test(.serialized, arguments: quietRuns)
    func `after hundreds of random steps and faults, rosters, counts and ledger are the model's`(of run: Run)
        async throws
    {
        try await play(run)
    }

    @Test(.serialized, arguments: stormyRuns)
    func `after failovers and rollbacks as well`(of run: Run) async throws { try await play(run) }

    @Test(.serialized, .enabled(if: !furtherRuns.isEmpty), arguments: furtherRuns)
    func `after whatever comes by chance`(of run: Run) async throws { try await play(run) }

    private func play(_ run: Run) async throws {
        print("presence model: \(run.testDescription)")
        let play = try await ModelRun(on: run.store, seed: run.seed, slots: PresenceModelTests.slots)
        for (round, move) in run.moves.enumerated() {
            for slot in play.dead { try await play.replace(slot) }
            try await take(move, in: play)
            try await play.settle(
                "\(run.store), round \(round), \(move), seed \(run.seed)", users: PresenceModelTests.users,
                rooms: PresenceModelTests.rooms)
        }
        print(
            "presence model: \(run.store), seed \(run.seed), \(play.steps) steps, \(play.resumed) sessions gone on with, "
                + "\(play.told) transitions told")
        try await play.stop()
    }

    private func take(_ move: PresenceModelMove, in run: ModelRun) async throws {
        let slot = run.random(PresenceModelTests.slots)
        for step in 0..<PresenceModelTests.steps {
            if step == PresenceModelTests.steps / 3 { try await run.begin(move, at: slot) }
            if step == 2 * PresenceModelTests.steps / 3 { try await run.end(move, at: slot) }
            try await run.step(users: PresenceModelTests.users, rooms: PresenceModelTests.rooms)
        }
    }
}
