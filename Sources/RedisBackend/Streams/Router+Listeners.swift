import GatewayCore
import NIOCore
import RedisClient

/// How listeners go live: the head of their room is asked for, and they wait until the channel has brought all up to it.
extension Router {
    /// Sends what the track's state calls for; at most one question of each kind is under way.
    func advance(_ track: Track) {
        guard isConnected, track.isSubscribed, !track.isCatchingUp else { return }
        if track.needsCatchUp, let position = track.cursor.position {
            catchUp(track, after: position)
        } else if !track.waiters.isEmpty, !track.isAsking {
            ask(track)
        }
    }

    /// Puts a listener among those to be asked for, where the tick watches its deadline.
    func wait(_ waiter: Track.Waiter, _ track: Track) {
        track.waiters.append(waiter)
        unsettled[ObjectIdentifier(track)] = track
    }

    private func ask(_ track: Track) {
        track.isAsking = true
        track.asked = track.waiters
        track.waiters = []
        let breaks = breaks
        position(of: track, seen: nil) { [self] result in
            track.isAsking = false
            let asked = track.asked
            track.asked = []
            switch result {
            case .failure(let error):
                for waiter in asked { fail(waiter, BackendError(error), track) }
            case .success(let reply):
                guard let answer = PositionAnswer(reply, room: track.room, after: nil) else {
                    return asked.forEach { fail($0, .unavailable(reason: "position had another shape"), track) }
                }
                if track.cursor.position == nil {
                    track.cursor.begin(at: answer.head)
                    // What came between the answer and a subscription that was renewed since went to nobody.
                    if breaks != self.breaks { track.needsCatchUp = true }
                }
                for waiter in asked {
                    goLive(waiter, at: answer.head, timestamp: answer.timestamp, since: .now(), track)
                }
                releaseHeld(track)
            }
            advance(track)
        }
    }

    /// Takes a listener live at the position that Redis gave for it, if the stream has come that far.
    private func goLive(
        _ waiter: Track.Waiter, at position: Position, timestamp: Int64, since: NIODeadline, _ track: Track
    ) {
        guard let seen = track.cursor.position, seen.epoch == position.epoch else {
            // The room has gone over to another epoch: catch up, then ask again.
            track.needsCatchUp = true
            return wait(waiter, track)
        }
        guard seen.seq >= position.seq else {
            track.parked.append(Track.Parked(waiter: waiter, position: position, timestamp: timestamp, since: since))
            unsettled[ObjectIdentifier(track)] = track
            return
        }
        guard let missed = seen.seq == position.seq ? [] : track.recent.after(position.seq) else {
            return wait(waiter, track)
        }
        let answer = StreamDelivery.following(
            ticket: waiter.ticket, room: track.room,
            start: StreamStart(position: seen, missed: missed, timestamp: timestamp))
        outboxes.add(answer, of: track, to: waiter.hub)
        if !track.hubs.contains(waiter.hub) { track.hubs.append(waiter.hub) }
        scheduleFlush()
    }

    /// Those whose position has been reached go live.
    func settleParked(_ track: Track) {
        let parked = track.parked
        track.parked = []
        for one in parked {
            goLive(one.waiter, at: one.position, timestamp: one.timestamp, since: one.since, track)
        }
    }

    func fail(_ waiter: Track.Waiter, _ error: BackendError, _ track: Track) {
        outboxes.add(.failed(ticket: waiter.ticket, room: track.room, error: error), of: track, to: waiter.hub)
        scheduleFlush()
        guard track.isUnused else { return }
        track.idleSince = .now()
        unsettled[ObjectIdentifier(track)] = track
    }

    /// Asks where a room stands, and what came after a position that was seen.
    func position(
        of track: Track, seen: Position?, reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let limits = rules.log(of: track.room)
        var arguments: [RedisArgument] = [
            .runID, .string(names.epoch()), .integer(limits.headLife.milliseconds), .integer(limits.age.milliseconds),
            .integer(Int64(configuration.catchUpLimit)),
        ]
        if let seen { arguments += [.string(seen.epoch), .integer(Int64(seen.seq))] }
        let keys = [
            store.keys.state(Partition(of: track.room)), store.keys.head(track.room), store.keys.log(track.room),
        ]
        store.call(store.scripts.position, keys: keys, arguments: arguments, reply: reply)
    }
}
