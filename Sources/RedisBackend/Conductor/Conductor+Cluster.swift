import GatewayCore
import Logging
import NIOCore
import RedisClient

/// What a Cluster's servers and the map of its slots tell; on the command link's loop.
extension Conductor {
    func mapped(_ table: SlotTable) {
        apply(standings.mapped(table))
        canaries?.lie(standings.groups.map(\.partitions))
        judge()
    }

    /// A command link to one of the servers.
    func serverChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        switch state {
        case .connected(let server, _, _): apply(standings.connected(place, to: server))
        case .disconnected, .unfit: apply(standings.disconnected(place))
        case .refused(let message):
            logger.error(
                "A server of the Cluster refuses the connection",
                metadata: ["server": "\(place)", "reason": "\(message)"])
            apply(standings.disconnected(place))
        }
    }

    /// These slots are on the move, or were as the move was broken off: nothing has run for them for seconds.
    func slotsStandStill(_ slots: Set<KeySlot>) {
        halted = PartitionSet(slots.lazy.compactMap(Partition.of))
        countAnswering()
        judge()
        guard !slots.isEmpty else { return logger.info("No slot of the Cluster stands still any more") }
        logger.warning(
            "What lies in slots that are on the move stands still (a move that was broken off: redis-cli --cluster fix)",
            metadata: ["slots": "\(slots.sorted().map { "\($0.number)" }.joined(separator: ", "))"])
    }

    private func apply(_ change: PartitionStandings.Change) {
        guard !change.isEmpty else { return }
        if !change.lost.isEmpty {
            logger.warning(
                "A part of the Cluster is not reached", metadata: ["partitions": "\(change.lost.count)"])
            presence?.linkLost(change.lost)
        }
        // First of all: whoever is registered behind it is told an id with a seal.
        if let arrival = change.index { indexStands(arrival) }
        if change.hasLostIndex { indexLost = .now }
        var arrived = PartitionSet.none
        for (arrival, partitions) in change.stands {
            arrived.formUnion(partitions)
            switch arrival {
            case .same: break
            case .first: meet(partitions)
            // All came along, and what was forgotten before shows by the answer.
            case .moved:
                meet(partitions)
                router?.compareAll(partitions)
            case .another:
                for partition in partitions { births[partition] = nil }
                meet(partitions)
                meetAnother(partitions)
            }
        }
        if !arrived.isEmpty {
            logger.info("A part of the Cluster is reached", metadata: ["partitions": "\(arrived.count)"])
            presence?.linked(arrived)
        }
        linksChanged(commands: standings.standing)
        judge()
    }

    /// What each server has, one by itself all; on the command link's loop.
    func servesWhat() -> [(name: String, partitions: PartitionSet)] {
        let groups = standings.groups
        return groups.isEmpty ? [("", .all)] : groups.map { ("\($0.place)", $0.partitions) }
    }

    private func indexStands(_ arrival: PartitionStandings.Arrival) {
        indexLost = nil
        agreeOnSessions()
        check()
        if arrival != .same { describeServer() }
        if mustRenounce { renounce() }
    }

    /// A partition has said when all that lies there began; empty where it does not know.
    func partitionSaid(_ partition: Partition, born birth: String) {
        // A server by itself shows it by the next beat.
        guard store?.keys.isSharded == true else { return }
        guard let known = births[partition] else {
            if birth.isEmpty { meet(PartitionSet([partition])) } else { births[partition] = birth }
            return
        }
        if known != birth { shardForgot(partition) }
    }

    /// The server of a partition has forgotten all, under the identity that it had.
    private func shardForgot(_ partition: Partition) {
        let (partitions, haveIndex) = standings.neighbours(of: partition)
        for partition in partitions { births[partition] = nil }
        meet(partitions, round: haveIndex ? 0 : round)
        // Then a beat finds that the node is not in it, and what follows from that follows for all partitions.
        guard !haveIndex else { return }
        logger.error(
            "A part of the Cluster has forgotten all that it held: what this node holds there is compared with it",
            metadata: ["partitions": "\(partitions.count)"])
        beginAnew(in: partitions)
    }

    /// Of a Cluster the node needs most partitions, and the index, or not to have been without it for long.
    func judge() {
        guard !standings.groups.isEmpty else { return }
        let answering = standings.standing.subtracting(silent).subtracting(halted)
        servers.lie(
            standings.groups.map { place, partitions in
                StoreDescription.Shard(
                    address: "\(place)", partitions: partitions.count,
                    answers: partitions.subtracting(answering).isEmpty)
            })
        guard standings.standing.isMost else {
            return health.set(
                .commands, false, because: "\(standings.standing.count) of \(Partition.count) partitions answer")
        }
        guard let indexLost else { return health.set(.commands, standings.hasIndex) }
        let rest = Conductor.indexPatience - (MonotonicTime.now - indexLost)
        health.set(
            .commands, rest > .zero, because: rest > .zero ? nil : "the shard of the node index does not answer")
        guard rest > .zero, let loop = store?.link.eventLoop else { return }
        loop.scheduleTask(in: TimeAmount(rest) + .milliseconds(1)) { [self] in
            if self.indexLost == indexLost { judge() }
        }
    }

    /// For how long a node is ready without the shard of the node index.
    private static let indexPatience = Duration.seconds(30)
}

/// Where the beats and the coordinator go in a Cluster; on the life's loop.
extension Conductor {
    /// A beat's link to a server of a Cluster that has, or had, the index; on the life's loop.
    func beatServerChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        if case .connected(let server, _, _) = state { beatServers[place] = server } else { beatServers[place] = nil }
        beatsFollow()
    }

    /// Beats go to the server that has the index by now, which a link may have led to all the while.
    func beatsFollow() {
        guard let server = beatPlace.flatMap({ beatServers[$0] }) else { return beatServer = nil }
        guard server != beatServer else { return }
        beatServer = server
        coordinator?.lost()
        registrar?.linked(to: server)
    }

    /// A link of the coordinator to a server of a Cluster; on the life's loop.
    func coordinationServerChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        if case .connected = state { coordinating.insert(place) } else { coordinating.remove(place) }
        health.set(.coordination, !coordinating.isEmpty)
    }
}
