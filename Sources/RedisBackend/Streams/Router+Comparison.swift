import GatewayCore
import NIOCore

/// What the link may have lost without a trace is found by comparing with the heads, many at a time; only what differs is asked about by itself.
extension Router {
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
            for start in stride(from: 0, to: tracks.count, by: ReadHeads.most) {
                compare(Array(tracks[start..<min(start + ReadHeads.most, tracks.count)]), partition)
            }
        }
    }

    private func compare(_ batch: [Track], _ partition: Partition) {
        store.call(ReadHeads(of: batch.map(\.room), in: partition)) { [self] result in
            guard case .success(let heads) = result else {
                uncompared += batch
                return wake()
            }
            for (track, head) in zip(batch, heads) {
                guard tracks[track.room] === track, let seen = track.cursor.position else { continue }
                let hasMoved = head.position.map { seen.epoch != $0.epoch || $0.seq > seen.seq } ?? true
                guard hasMoved || head.rosterVersion > track.roster?.version ?? .max else { continue }
                track.busy.needsCatchUp = true
                track.busy.comparesRoster = true
                look(at: track)
                advance(track)
            }
        }
    }
}
