import GatewayCore
import RedisClient

/// Comparing what Redis has with the table, a partition at a time.
extension PresenceRegistry {
    /// Entries that one script looks at.
    private static let comparedAtOnce = 200

    /// Reads the node's set in a partition and mends what differs.
    func compare(_ partition: Partition) {
        guard let writer else { return }
        doubtful.remove(partition)
        entered()
        store.link.send(["SMEMBERS", .string(store.keys.held(by: writer, in: partition).name)]) { [self] result in
            defer { left() }
            guard holder == writer else { return }
            guard case .success(let reply) = result else {
                doubtful.insert(partition)
                return
            }
            mend(partition, Set((reply.array ?? []).compactMap { $0.string.flatMap(HeldEntry.init) }), writer)
        }
    }

    private func mend(_ partition: Partition, _ found: Set<HeldEntry>, _ writer: Holder) {
        let (missing, stale) = held.compare(found, in: partition)
        for entry in missing { registerLacking(entry, writer) }
        findLacking(among: found.subtracting(stale), in: partition, writer)
        for entry in stale {
            // How it ended was not told: it is given the grace.
            let departure = Departure.abrupt(.lost)
            let reply: PresenceCalls.Reply = { [self] result in
                if case .failure = result { doubtful.insert(partition) }
            }
            switch entry {
            case .user(let user, let id):
                let connection = PresenceConnection(id: id, userId: user, address: "")
                calls.disconnect(
                    connection, session: SessionID(of: user), holder: writer, departure: departure, reply: reply)
            case .member(let user, let id, let room):
                calls.leave(
                    room, connection: id, of: user, holder: .node(writer), departure: departure, reply: reply)
            }
        }
    }

    /// The set may name what the other keys have lost.
    private func findLacking(among entries: Set<HeldEntry>, in partition: Partition, _ writer: Holder) {
        let registered = entries.compactMap { entry in
            held[entry.connection].flatMap { $0.isRegistered ? (entry: entry, session: $0.session) : nil }
        }
        findLacking(among: registered[...], in: partition, writer)
    }

    /// One batch after the other: a room of tens of thousands would else be held in memory as commands.
    private func findLacking(
        among entries: ArraySlice<(entry: HeldEntry, session: SessionID)>, in partition: Partition, _ writer: Holder
    ) {
        guard !entries.isEmpty else { return }
        let batch = Array(entries.prefix(PresenceRegistry.comparedAtOnce))
        entered()
        calls.compare(batch, in: partition, holder: writer) { [self] result in
            defer { left() }
            // The next round looks again.
            guard case .success(let reply) = result, holder == writer else { return }
            for place in (reply.array ?? []).compactMap(\.integer) where batch.indices.contains(Int(place)) {
                registerLacking(batch[Int(place)].entry, writer)
            }
            findLacking(among: entries.dropFirst(batch.count), in: partition, writer)
        }
    }

    private func registerLacking(_ entry: HeldEntry, _ writer: Holder) {
        register(entry, writer) { [self] isRegistered in
            if !isRegistered { doubtful.insert(entry.partition) }
        }
    }
}
