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
        let users = held.users(in: partition)
        let rooms = held.rooms(in: partition)
        guard !users.isEmpty || !rooms.isEmpty else { return }
        let keys = store.keys
        let life = settings.life.milliseconds
        let sessionLife = settings.sessionLife.milliseconds
        var lives: [(key: Key, life: Int64)] = []
        lives.reserveCapacity(1 + 2 * users.count + 3 * rooms.count)
        lives.append((keys.held(by: writer, in: partition), settings.listLife.milliseconds))
        // Connections of one user share a key.
        var named: Set<UserID> = []
        for held in users {
            let user = held.connection.userId
            if named.insert(user).inserted { lives.append((keys.connections(of: user), life)) }
            lives.append((keys.session(held.session), sessionLife))
        }
        for room in rooms {
            lives.append((keys.members(room), life))
            lives.append((keys.connections(in: room), life))
            lives.append((keys.head(room), LogLimits.emptyHeadLife.milliseconds))
        }
        calls.touch(lives)
    }
}
