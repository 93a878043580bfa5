import GatewayCore
import NIOCore

/// How listeners go live: the head of their room is asked for, and they wait until the channel has brought all up to it.
extension Router {
    /// Sends what the track's state calls for; at most one question of each kind is under way.
    func advance(_ track: Track) {
        guard let errand = track.errand, isConnected, track.isSubscribed || track.room.isInbox,
            !errand.isCatchingUp
        else { return }
        if errand.needsCatchUp, let position = track.cursor.position {
            catchUp(track, after: position)
        } else if !errand.waiters.isEmpty, !errand.isAsking {
            serveByWhatIsKnown(track)
            if !errand.needsCatchUp, !errand.waiters.isEmpty { ask(track) }
        }
    }

    /// Puts a listener among those to be asked for, where the tick watches its deadline.
    func wait(_ waiter: Errand.Waiter, _ track: Track) {
        track.busy.waiters.append(waiter)
        look(at: track)
    }

    /// Has the next tick look at the track.
    func look(at track: Track) {
        track.errand?.restsUntil = nil
        unsettled[ObjectIdentifier(track)] = track
        wake()
    }

    /// Notes since when nobody listens, if so.
    func rest(_ track: Track) {
        guard track.isUnused else { return }
        track.busy.idleSince = .now()
        look(at: track)
    }

    private func ask(_ track: Track) {
        let errand = track.busy
        errand.isAsking = true
        let part = partToRead(errand.waiters, track)
        errand.asked = errand.waiters
        errand.waiters = []
        let breaks = breaks
        position(of: track, part) { [self] result in
            errand.isAsking = false
            let asked = errand.asked
            errand.asked = []
            switch result {
            case .failure(let error):
                for waiter in asked { fail(waiter, error, track) }
            case .success(let answer):
                if track.cursor.position == nil {
                    track.cursor.begin(at: answer.head)
                    track.roster = [answer.roster, track.roster].compactMap(\.self).max {
                        $0.version < $1.version
                    }
                    // What came between the answer and a subscription that was renewed since went to nobody.
                    if breaks != self.breaks { compareLater(track) }
                }
                remember(answer, track)
                let now = NIODeadline.now()
                for waiter in asked { goLive(waiter, answer, since: now, track) }
                releaseHeld(track)
            }
            advance(track)
        }
    }

    /// What has to be read of the log for those who wait; nil where memory holds what they have missed.
    ///
    /// One read serves all who are within its reach of the newest; one further behind is served in its turn, alone. It is
    /// no longer than what all of them together take.
    private func partToRead(_ waiters: [Errand.Waiter], _ track: Track) -> AskPosition.Part? {
        guard rules.log(of: track.room).size > 0 else { return nil }
        let seen = track.cursor.position?.seq
        var lacking: [Int] = []
        var bytes = 0
        for waiter in waiters {
            guard let since = waiter.since?.seq else { continue }
            if !waiter.readsLog, let seen, since >= seen || track.recent.holds(after: since) { continue }
            lacking.append(since)
            bytes += min(max(0, waiter.portion.bytes), AskPosition.Part.mostBytes)
        }
        guard let first = lacking.first, let last = lacking.max() else { return nil }
        let near = max(seen ?? last, last) - configuration.recoverLimit
        return AskPosition.Part(
            after: first < near ? first : lacking.reduce(first) { $1 >= near ? min($0, $1) : $0 },
            // One message tells whether all is there.
            limit: bytes == 0 ? 1 : configuration.recoverLimit, bytes: min(bytes, AskPosition.Part.mostBytes))
    }

    /// What was read of the log up to where the stream begins serves those who come next.
    private func remember(_ answer: PositionAnswer, _ track: Track) {
        guard track.recent.count == 0, let first = answer.messages.first, !answer.more,
            track.cursor.position == answer.head, answer.isWhole(after: first.seq - 1)
        else { return }
        for message in answer.messages { budget.append(message, to: track) }
    }

    /// Takes a listener live at the position that Redis gave for it, if the stream has come that far.
    func goLive(
        _ waiter: Errand.Waiter, _ answer: PositionAnswer, since: NIODeadline, _ track: Track
    ) {
        guard let seen = track.cursor.position, seen.epoch == answer.head.epoch else {
            // The room has gone over to another epoch: catch up, then ask again.
            track.busy.needsCatchUp = true
            return wait(waiter, track)
        }
        guard seen.seq >= answer.head.seq, track.hasReached(answer.roster) else {
            track.busy.parked.append(Errand.Parked(waiter: waiter, answer: answer, since: since))
            return look(at: track)
        }
        let found = ListenerStart(
            since: waiter.since, answer: answer, seen: seen, recent: track.recent, roster: track.roster,
            portion: waiter.portion, limit: configuration.recoverLimit, limits: rules.log(of: track.room))
        switch found {
        case .readLog:
            var waiter = waiter
            waiter.readsLog = true
            wait(waiter, track)
        case .start(let start):
            let answer = StreamDelivery.following(ticket: waiter.ticket, room: track.room, start: start)
            outboxes.add(answer, of: track, to: waiter.hub)
            scheduleFlush()
            if start.hasMore { rest(track) } else { track.hubs.insert(waiter.hub) }
        }
    }

    /// Those whose position has been reached go live.
    func settleParked(_ track: Track) {
        guard let errand = track.errand, !errand.parked.isEmpty else { return }
        let parked = errand.parked
        errand.parked = []
        for one in parked { goLive(one.waiter, one.answer, since: one.since, track) }
    }

    func fail(_ waiter: Errand.Waiter, _ error: BackendError, _ track: Track) {
        outboxes.add(
            .failed(ticket: waiter.ticket, room: track.room, error: error), of: track, to: waiter.hub)
        scheduleFlush()
        rest(track)
    }

    /// Asks where a room stands, and what its log holds there.
    func position(
        of track: Track, _ part: AskPosition.Part?,
        reply: @escaping @Sendable (Result<PositionAnswer, BackendError>) -> Void
    ) {
        let room = track.room
        let question = AskPosition(
            room, hasRoster: rules.presence(of: room) == .full, limits: rules.log(of: room), reading: part,
            candidate: names.epoch())
        store.call(question) { reply($0.mapError(BackendError.init)) }
    }
}
