import Foundation
import TestSupport

extension ClusterGroup {
    package enum MoveKind: Sendable {
        /// Slot by slot and key by key, with a pause after each step. All engines can.
        case classic(keysAtOnce: Int = 10, pause: Duration = .zero)
        /// All at once, the keys being copied beforehand: CLUSTER MIGRATESLOTS, Valkey 9 and later.
        case atomic
    }

    /// Begins to move a slot to a shard, for a test to do each step.
    package func beginMove(of slot: Int, to shard: Int) async throws -> SlotMove {
        try await SlotMove(
            slot, from: primary(of: slot), to: primary(ofShard: shard), of: self)
    }

    /// Moves a slot to a shard; returns when all agree.
    package func moveSlot(_ slot: Int, to shard: Int, _ kind: MoveKind = .classic()) async throws {
        try await moveSlots([slot], to: shard, kind)
    }

    /// Moves slots to a shard, those that are there already left out; returns when all agree.
    package func moveSlots(_ slots: [Int], to shard: Int, _ kind: MoveKind = .classic()) async throws {
        let target = try await primary(ofShard: shard)
        let view = ClusterView(try await target.process.ask("CLUSTER", "SLOTS"))
        let moving = slots.filter { view.primary(of: $0) != target.id }
        switch kind {
        case .atomic:
            for (id, slots) in Dictionary(grouping: moving, by: { view.primary(of: $0) }) {
                try await migrate(slots, from: server(id), to: target)
            }
        case .classic(let keysAtOnce, let pause):
            for slot in moving {
                let move = try await beginMove(of: slot, to: shard)
                while try await move.moveKeys(keysAtOnce) > 0 { try await ContinuousClock().sleep(for: pause) }
                try await move.finish()
            }
        }
        try await agreed()
    }

    /// Moves all that a shard has to the others, in even shares, ends its servers, and returns when all agree.
    ///
    /// - Parameter slots: those that are moved classically, in any case, where the move is classic: slots in use. Of the
    ///   others those without a key are given away at once.
    package func removeShard(_ shard: Int, inUse slots: [Int], _ kind: MoveKind = .classic()) async throws {
        let source = try await primary(ofShard: shard)
        let view = ClusterView(try await source.process.ask("CLUSTER", "SLOTS"))
        let own = view.ranges.filter { $0.primary == source.id }.flatMap { Array($0.slots) }
        let others = shards.indices.filter { $0 != shard && !shards[$0].isEmpty }
        for (number, other) in others.enumerated() {
            let (first, last) = (own.count * number / others.count, own.count * (number + 1) / others.count)
            let share = Array(own[first..<last])
            if case .atomic = kind {
                try await moveSlots(share, to: other, kind)
            } else {
                let counts = try await source.process.ask(share.map { ["CLUSTER", "COUNTKEYSINSLOT", "\($0)"] })
                let used = zip(share, counts).filter { slots.contains($0) || $1.number != 0 }.map(\.0)
                try await moveSlots(used, to: other, kind)
                let target = try await primary(ofShard: other)
                try await give(share.filter { !used.contains($0) }, of: source, to: target)
            }
        }
        try await agreed()
        try await forgetShard(shard)
    }

    private func server(_ id: String?) throws -> ClusterServer {
        guard let server = servers.first(where: { $0.id == id }) else {
            throw RedisServerProcess.Failure(description: "a slot is nobody's")
        }
        return server
    }

    private func migrate(_ slots: [Int], from source: ClusterServer, to target: ClusterServer) async throws {
        var ranges: [ClosedRange<Int>] = []
        for slot in slots.sorted() {
            if let last = ranges.last, last.upperBound + 1 == slot {
                ranges[ranges.count - 1] = last.lowerBound...slot
            } else {
                ranges.append(slot...slot)
            }
        }
        let words = ranges.flatMap { ["\($0.lowerBound)", "\($0.upperBound)"] }
        let command = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"] + words + ["NODE", target.id]
        if case .error(let text) = try await source.process.ask([command])[0] {
            throw RedisServerProcess.Failure(description: "MIGRATESLOTS: \(text)")
        }
        try await eventually("the end of the migration") {
            // The newest comes first; of each the names and values in turn.
            let job = try await source.process.ask("CLUSTER", "GETSLOTMIGRATIONS").items.first?.items ?? []
            guard let place = job.firstIndex(of: .text("state")), let state = job[place + 1].text else { return false }
            guard state != "failed", state != "canceled" else {
                throw RedisServerProcess.Failure(description: "the migration of slots \(state): \(job)")
            }
            return state == "success"
        }
    }

    /// Gives away slots without keys, of which nobody makes any meanwhile.
    private func give(_ slots: [Int], of source: ClusterServer, to target: ClusterServer) async throws {
        guard !slots.isEmpty else { return }
        // The newest word on them is then the target's, and the source does not take them back.
        try await target.process.ask("CLUSTER", "BUMPEPOCH")
        for server in [target, source] {
            let answers = try await server.process.ask(
                slots.map { ["CLUSTER", "SETSLOT", "\($0)", "NODE", target.id] })
            if let wrong = answers.first(where: { $0 != .text("OK") }) {
                throw RedisServerProcess.Failure(description: "SETSLOT: \(wrong)")
            }
        }
    }
}
