import RedisClient

/// The server that each partition, and the index, stands on for a node's commands: by who has which slot and where its links
/// lead. A server by itself has them all. Pure.
package struct PartitionStandings: Sendable {
    package typealias Address = RedisConfiguration.Endpoint

    /// How a server compares with the one before it.
    package enum Arrival: Hashable, Sendable {
        /// None was known before.
        case first
        /// The same, with the same data.
        case same
        /// The slot went to a server that stood already, and the one that had it stands on: all that lay there came along.
        case moved
        /// Another, or the same with other data: it may have forgotten anything.
        case another
    }

    /// What has changed; of the index by itself.
    package struct Change: Hashable, Sendable {
        /// Those that stand by now.
        package var stands: [Arrival: PartitionSet] = [:]
        package var lost = PartitionSet.none
        package var index: Arrival?
        package var hasLostIndex = false

        package init() {}

        package var isEmpty: Bool { stands.isEmpty && lost.isEmpty && index == nil && !hasLostIndex }
    }

    private struct Standing {
        /// Nil while no server can be asked.
        var server: ServerID?
        var place: Address?
        /// The last that it stood on.
        var last: (server: ServerID, place: Address)?
    }

    private var partitions = [Standing](repeating: Standing(), count: Partition.count)
    private var index = Standing()
    private var table = SlotTable()
    private var servers: [Address: ServerID] = [:]

    package init() {}

    /// Those that stand.
    package var standing: PartitionSet { PartitionSet(Partition.all.filter { partitions[$0.number].server != nil }) }

    package var hasIndex: Bool { index.server != nil }

    /// What each server has of them, the servers in the order of their addresses.
    package var groups: [(place: Address, partitions: PartitionSet)] {
        Dictionary(grouping: Partition.all.filter { table[$0.slot] != nil }, by: { table[$0.slot] })
            .compactMap { place, all in place.map { ($0, PartitionSet(all)) } }
            .sorted { $0.place.description < $1.place.description }
    }

    /// What lies on one server with a partition, and whether the index does.
    package func neighbours(of partition: Partition) -> (partitions: PartitionSet, haveIndex: Bool) {
        let place = table[partition.slot]
        let partitions = PartitionSet(Partition.all.filter { $0 == partition || table[$0.slot] == place })
        return (partitions, table[Keys.indexSlot] == place)
    }

    /// Who has which slot.
    package mutating func mapped(_ table: SlotTable) -> Change {
        self.table = table
        return compare(standingBefore: Set(servers.keys))
    }

    /// A link leads to this server there.
    package mutating func connected(_ place: Address, to server: ServerID) -> Change {
        let before = Set(servers.keys.filter { $0 != place })
        servers[place] = server
        return compare(standingBefore: before)
    }

    package mutating func disconnected(_ place: Address) -> Change {
        servers[place] = nil
        return compare(standingBefore: Set(servers.keys))
    }

    private mutating func compare(standingBefore: Set<Address>) -> Change {
        var change = Change()
        for partition in Partition.all {
            let (next, step) = updated(partitions[partition.number], partition.slot, standingBefore)
            partitions[partition.number] = next
            switch step {
            case .none: break
            case .lost: change.lost.insert(partition)
            case .stands(let arrival): change.stands[arrival, default: .none].insert(partition)
            }
        }
        let (next, step) = updated(index, Keys.indexSlot, standingBefore)
        index = next
        switch step {
        case .none: break
        case .lost: change.hasLostIndex = true
        case .stands(let arrival): change.index = arrival
        }
        return change
    }

    private enum Step {
        case none
        case lost
        case stands(Arrival)
    }

    private func updated(
        _ before: Standing, _ slot: KeySlot, _ standingBefore: Set<Address>
    ) -> (Standing, Step) {
        let place = table[slot]
        var standing = before
        (standing.server, standing.place) = (place.flatMap { servers[$0] }, place)
        guard let server = standing.server, let place else { return (standing, before.server == nil ? .none : .lost) }
        guard before.server != server || before.place != place else { return (standing, .none) }
        standing.last = (server, place)
        guard let last = before.last else { return (standing, .stands(.first)) }
        if last.server == server { return (standing, .stands(.same)) }
        let hasMoved =
            last.place != place && servers[last.place] == last.server && table.primaries.contains(last.place)
            && standingBefore.contains(place)
        return (standing, .stands(hasMoved ? .moved : .another))
    }
}
