import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import TestSupport

/// What happens to one shard of a Cluster in a round, while the others are well.
enum PresenceModelShardMove: Hashable, Sendable {
    /// The shard of the node index, or one of the others.
    enum Shard: Hashable, Sendable {
        case index, other
    }

    /// The replica takes over, and the primary hands over all it has, while there are steps.
    case failover(Shard)
    /// The primary stands still, the replica takes over, and the primary wakes with what was sent to it.
    case heldPrimary(Shard)
    /// The primary is killed, the replica takes over, and the former primary comes back empty.
    case crash(Shard)
    /// The replica that takes over lacks the primary's last.
    case lostTail(Shard)
    /// The primary is parted from all others with half of the nodes, which go on with it; the replica takes over on the other side.
    case parting(Shard)
    /// All its servers stand still.
    case silence(Shard)
    /// Slots go to another shard key by key, and stop half way for a lease.
    case resharding(Shard)
    /// All that lies there is deleted.
    case flush
}

extension PresenceModelShardMove {
    /// The shard of a round, once it has begun.
    struct Turn {
        let shard: Int
        let primary: ClusterServer
        var slots: [SlotMove] = []
    }
}

extension ModelRun {
    private typealias Turn = PresenceModelShardMove.Turn

    func begin(_ move: PresenceModelShardMove) async throws {
        let group = store.group
        switch move {
        case .failover(let which):
            turn = try await turn(which)
        case .heldPrimary(let which):
            let turn = try await begun(which)
            round.hasLeapt = true
            turn.primary.process.pause()
        case .crash(let which):
            let turn = try await begun(which)
            round.hasLeapt = true
            turn.primary.process.kill9()
        case .lostTail(let which):
            let turn = try await turn(which)
            try await group.caughtUp(turn.shard)
            lose()
            let replicas = group.shards[turn.shard].filter { $0.id != turn.primary.id }
            try await group.sever(.init(replicas), from: .init([turn.primary]))
        case .parting(let which):
            for slot in minority { model.doubt(slot: slot) }
            let turn = try await begun(which)
            round.hasLeapt = true
            let others = group.servers.filter { $0.id != turn.primary.id }
            for slot in nodes.indices where !dead.contains(slot) {
                for (proxy, server) in zip(nodes[slot].ways.proxies, group.servers)
                where (server.id == turn.primary.id) != minority.contains(slot) {
                    try await proxy.refuse(true)
                    try await proxy.cutAll()
                }
            }
            try await group.sever(.init([turn.primary]), from: .init(others))
            _ = try await group.takeOver(turn.shard, from: turn.primary)
        case .silence(let which):
            let turn = try await begun(which)
            for server in group.shards[turn.shard] { server.process.pause() }
        case .resharding(let which):
            let turn = try await begun(which)
            let target = (turn.shard + 1 + random(group.shards.count - 1)) % group.shards.count
            for slot in try await slots(of: turn, which) {
                let slotMove = try await group.beginMove(of: slot, to: target)
                self.turn?.slots.append(slotMove)
                try await slotMove.moveKeys(3)
            }
        case .flush:
            // Of the index's the beats tell at once.
            let turn = try await turn(.other)
            // What was told before is forgotten too.
            try await settle("before a flush", users: PresenceModelTests.users, rooms: PresenceModelTests.rooms)
            suspend()
            round.hasLeapt = true
            round.hasForgotten = true
            try await turn.primary.process.ask("FLUSHALL")
        }
    }

    func end(_ move: PresenceModelShardMove) async throws {
        let group = store.group
        guard let turn else { preconditionFailure("\(move) has not begun") }
        self.turn = nil
        switch move {
        case .failover:
            suspend()
            round.hasLeapt = true
            async let promoted = group.failOver(turn.shard)
            for _ in 0..<20 { try await step(users: PresenceModelTests.users, rooms: PresenceModelTests.rooms) }
            _ = try await promoted
        case .heldPrimary:
            _ = try await group.takeOver(turn.shard, from: turn.primary)
            try await wait(settings.lease * 2)
            turn.primary.process.resume()
            try await group.agreed()
        case .crash:
            _ = try await group.takeOver(turn.shard, from: turn.primary)
            try await wait(settings.lease * 2)
            try await group.restart(turn.primary)
        case .lostTail:
            suspend()
            turn.primary.process.pause()
            _ = try await group.takeOver(turn.shard, from: turn.primary)
            try await group.mend()
            turn.primary.process.resume()
            try await group.agreed()
        case .parting:
            try await wait(settings.lease * 2)
            for slot in nodes.indices where !dead.contains(slot) { try await nodes[slot].heal() }
            try await group.mend()
        case .silence:
            try await wait(settings.lease * 2)
            for server in group.shards[turn.shard] { server.process.resume() }
            try await group.agreed()
        case .resharding:
            try await wait(settings.lease)
            for slot in turn.slots { try await slot.finish() }
            try await group.agreed()
        case .flush:
            break
        }
    }

    /// Those who are parted from most of the servers with a primary.
    private var minority: Range<Int> { 0..<nodes.count / 2 }

    /// From here on calls wait; the replica has all that was done before.
    private func begun(_ which: PresenceModelShardMove.Shard) async throws -> Turn {
        let turn = try await turn(which)
        self.turn = turn
        suspend()
        try await store.group.caughtUp(turn.shard)
        return turn
    }

    private func turn(_ which: PresenceModelShardMove.Shard) async throws -> Turn {
        let group = store.group
        var primary = try await group.primary(of: Int(Keys.indexSlot.number))
        if case .other = which {
            let shard = (primary.shard + 1 + random(group.shards.count - 1)) % group.shards.count
            primary = try await group.primary(ofShard: shard)
        }
        let turn = Turn(shard: primary.shard, primary: primary)
        self.turn = turn
        return turn
    }

    /// Of what is in use there: where some of the users and some of the rooms lie, and the index.
    private func slots(of turn: Turn, _ which: PresenceModelShardMove.Shard) async throws -> [Int] {
        var found: Set<Int> = []
        for name in PresenceModelTests.rooms + PresenceModelTests.users.prefix(8) {
            let slot = Int(Partition(of: name).slot.number)
            if try await store.group.primary(of: slot).id == turn.primary.id { found.insert(slot) }
        }
        let chosen = found.sorted().prefix(6)
        return which == .index ? chosen + [Int(Keys.indexSlot.number)] : Array(chosen)
    }
}
