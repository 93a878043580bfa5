import GatewayCore
import NIOCore

/// What waits for time to pass: listeners' deadlines, positions that the channel does not reach, rooms that nobody listens to.
extension Router {
    func tick(now: NIODeadline) {
        let waiting = unsettled
        unsettled = [:]
        for (identifier, track) in waiting where !isSettled(track, now: now) {
            unsettled[identifier] = track
        }
    }

    /// Whether the track needs no further look; does what is due.
    private func isSettled(_ track: Track, now: NIODeadline) -> Bool {
        let late = track.waiters.filter { $0.deadline <= now }
        track.waiters.removeAll { $0.deadline <= now }
        for waiter in late { fail(waiter, .unavailable(reason: "Redis did not answer in time"), track) }
        let lag = maxLag(of: track.room)
        if track.parked.contains(where: { $0.since + lag <= now }) { track.needsCatchUp = true }
        if track.isUnused, let idleSince = track.idleSince, idleSince + configuration.lingering <= now {
            // An answer under way would find the track gone, and perhaps another in its place.
            guard !track.isAsking, !track.isCatchingUp else { return false }
            subscriptions?.unsubscribe([track.channel.name])
            tracks.remove(track)
            budget.clear(track)
            return true
        }
        advance(track)
        return track.waiters.isEmpty && track.parked.isEmpty && !track.needsCatchUp && !track.isUnused
    }

    /// How long the channel may lag behind a listener's position; of a room that keeps nothing the log can only say that
    /// messages were lost, so the channel is waited for longer.
    private func maxLag(of room: RoomName) -> TimeAmount {
        rules.log(of: room).size > 0 ? configuration.maxLag : configuration.maxLagWithoutLog
    }
}
