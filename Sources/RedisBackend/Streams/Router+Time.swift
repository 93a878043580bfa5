import GatewayCore
import NIOCore

/// What waits for time to pass: listeners' deadlines, positions that the channel does not reach, rooms that nobody listens to.
extension Router {
    private static let pace = TimeAmount.milliseconds(50)

    /// Has time be looked at for as long as something waits for it: a node at rest is not woken.
    func wake() {
        guard ticking == nil, subscriptions != nil else { return }
        ticking = loop.scheduleTask(in: Router.pace) { [self] in
            ticking = nil
            tick(now: .now())
            if !unsettled.isEmpty || !uncompared.isEmpty || watched.isWaiting { wake() }
        }
    }

    private func tick(now: NIODeadline) {
        var due: [Track] = []
        for track in unsettled.values where track.errand?.restsUntil.map({ $0 <= now }) ?? true { due.append(track) }
        for track in due {
            unsettled[ObjectIdentifier(track)] = nil
            if !isSettled(track, now: now) { unsettled[ObjectIdentifier(track)] = track }
        }
        sendComparisons()
        tickWatching(now: now)
    }

    /// Whether the track needs no further look; does what is due.
    private func isSettled(_ track: Track, now: NIODeadline) -> Bool {
        // Another may have taken its place, and needs the channel.
        guard let errand = track.errand, tracks[track.room] === track else { return true }
        let late =
            errand.waiters.filter { $0.deadline <= now } + errand.parked.map(\.waiter).filter { $0.deadline <= now }
        errand.waiters.removeAll { $0.deadline <= now }
        errand.parked.removeAll { $0.waiter.deadline <= now }
        for waiter in late { fail(waiter, .unavailable(reason: "Redis did not answer in time"), track) }
        if let known = errand.known, known.until <= now { errand.known = nil }
        let lag = maxLag(of: track.room)
        if errand.parked.contains(where: { $0.since + lag <= now }) {
            errand.needsCatchUp = true
            errand.comparesRoster = true
        }
        if track.isUnused, let idleSince = errand.idleSince, idleSince + configuration.lingering <= now {
            // An answer under way would find the track gone, and perhaps another in its place.
            guard !errand.isAsking, !errand.isCatchingUp else { return false }
            if let channel = channel(of: track) { subscriptions?.unsubscribe([channel]) }
            tracks.remove(track)
            budget.clear(track)
            return true
        }
        if !track.isUnused { errand.idleSince = nil }
        // Asked again by the tick, at its pace, for as long as Redis is away.
        if store.link.isConnected { advance(track) }
        guard errand.isOver else {
            errand.restsUntil = errand.nextDeadline(lingering: configuration.lingering)
            return false
        }
        track.errand = nil
        return true
    }

    /// How long the channel may lag behind a listener's position; of a room that keeps nothing the log can only say that
    /// messages were lost, so the channel is waited for longer.
    private func maxLag(of room: RoomName) -> TimeAmount {
        rules.log(of: room).size > 0 ? configuration.maxLag : configuration.maxLagWithoutLog
    }
}
