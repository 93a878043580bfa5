/// What waits for time to pass: listeners' deadlines, positions that the channel does not reach, rooms that nobody listens to.
extension TrackMachine {
    package mutating func ticked(_ conditions: TrackConditions) -> [Action] {
        guard let pending else { return [] }
        let now = conditions.now
        var actions: [Action] = []
        for listener in pending.takeLate(now: now) {
            fail(listener, .unavailable(reason: "Redis did not answer in time"), now: now, &actions)
        }
        if let known = pending.known, known.until <= now { pending.known = nil }
        if let end = pending.rosterSettles, end <= now {
            pending.rosterSettles = nil
            if let roster { actions.append(.rosterMoved(roster)) }
        }
        if pending.parked.contains(where: { $0.since + conditions.patience <= now }) {
            pending.fallBehind(comparesRoster: true)
        }
        if !isUnused {
            pending.idleSince = nil
        } else if let since = pending.idleSince, since + conditions.settings.lingering <= now {
            // An answer under way would find the track gone, and perhaps another in its place.
            guard pending.question == nil, !pending.isCatchingUp else { return actions }
            forgetRecent()
            finish()
            return actions + [.leave]
        }
        // Asked again by the tick, at its pace, for as long as Redis is away.
        if conditions.isAnswered { advance(conditions, &actions) }
        if pending.isOver {
            finish()
        } else {
            pending.restsUntil = pending.nextDeadline(lingering: conditions.settings.lingering)
        }
        return actions
    }

    func look(_ pending: PendingWork) -> Action {
        pending.restsUntil = nil
        return .look
    }

    /// Records since when nobody listens, if so.
    mutating func rest(now: MonotonicTime, _ actions: inout [Action]) {
        guard isUnused else { return }
        busy.idleSince = now
        actions.append(look(busy))
    }
}
