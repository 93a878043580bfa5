import GatewayCore
import RedisClient

/// Keeping alive in Redis what this node holds.
extension PresenceRegistry {
    /// Renews what is held in one partition; the partitions take turns so that no burst reaches Redis. In longer turns
    /// one of them is compared as well.
    func renewNext() {
        guard let writer else { return }
        let partition = Partition.all[tick % Partition.count]
        tick += 1
        let turns = max(1, Int(settings.comparison / settings.renewal * Double(Partition.count)))
        if tick % turns == 0 { doubtful.insert(Partition.all[tick / turns % Partition.count]) }
        renew(partition, writer)
        // Whoever marked a connection may have died before the count was raised.
        readMarks(in: partition)
    }

    private func renew(_ partition: Partition, _ writer: Holder) {
        let entries = held.entries(in: partition)
        guard !entries.isEmpty else { return }
        let keys = store.keys
        let life = settings.life.milliseconds
        var lives: [Key: Int64] = [keys.held(by: writer, in: partition): settings.listLife.milliseconds]
        var rooms: Set<RoomName> = []
        for entry in entries {
            switch entry {
            case .user(let user, let id):
                lives[keys.connections(of: user)] = life
                if let held = held[id] {
                    lives[keys.session(held.session)] = settings.sessionLife.milliseconds
                }
            case .member(_, _, let room):
                // A room's members share its keys, and may be many.
                guard rooms.insert(room).inserted else { continue }
                lives[keys.members(room)] = life
                lives[keys.connections(in: room)] = life
                lives[keys.head(room)] = calls.rules.log(of: room).headLife.milliseconds
            }
        }
        calls.touch(lives.map { ($0.key, $0.value) })
    }
}
