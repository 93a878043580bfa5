import GatewayCore
import NIOCore
import RedisClient

/// What the link may have lost without a trace is found by comparing with the heads, many at a time; only what differs is asked about by itself.
extension Router {
    /// Rooms of one partition compared by one script.
    private static let batch = 200

    func compare() {
        uncompared = tracks.all.filter { $0.cursor.position != nil }
        rereadWatched()
        sendComparisons()
        wake()
    }

    /// A user is registered with this node again; called on the loop.
    func compareInbox(of user: UserID) {
        loop.assertInEventLoop()
        guard let track = tracks[RoomName(inboxOf: user)], track.cursor.position != nil else { return }
        compareLater(track)
    }

    /// Has the next tick compare the track, together with others.
    func compareLater(_ track: Track) {
        uncompared.append(track)
        wake()
    }

    /// Sends what is to be compared; while a link is away it waits for the tick.
    func sendComparisons() {
        guard !uncompared.isEmpty, isConnected, store.link.isConnected else { return }
        let due = Dictionary(grouping: uncompared) { Partition(of: $0.room) }
        uncompared = []
        for (partition, tracks) in due {
            for start in stride(from: 0, to: tracks.count, by: Router.batch) {
                compare(Array(tracks[start..<min(start + Router.batch, tracks.count)]), partition)
            }
        }
    }

    private func compare(_ batch: [Track], _ partition: Partition) {
        let keys = [store.keys.state(partition)] + batch.map { store.keys.head($0.room) }
        store.call(Scripts.heads, keys: keys, arguments: [.runID]) { [self] result in
            guard case .success(let reply) = result, reply.count == 3 * batch.count else {
                uncompared += batch
                return wake()
            }
            for (index, track) in batch.enumerated() {
                let epoch = reply[3 * index].string
                let seq = reply[3 * index + 1].integer ?? 0
                let version = reply[3 * index + 2].integer ?? 0
                guard tracks[track.room] === track, let seen = track.cursor.position else { continue }
                let hasMoved = seen.epoch != epoch || seq > seen.seq
                guard hasMoved || version > track.roster?.version ?? .max else { continue }
                track.busy.needsCatchUp = true
                track.busy.comparesRoster = true
                look(at: track)
                advance(track)
            }
        }
    }
}
