/// What waits for time to pass: listeners' deadlines, positions that the channel does not reach, rooms that nobody listens to.
extension TrackMachine {
    package mutating func ticked(_ conditions: TrackConditions) -> [Action] {
        guard let errand else { return [] }
        let now = conditions.now
        var actions: [Action] = []
        for listener in errand.takeLate(now: now) {
            fail(listener, .unavailable(reason: "Redis did not answer in time"), now: now, &actions)
        }
        if let known = errand.known, known.until <= now { errand.known = nil }
        if errand.parked.contains(where: { $0.since + conditions.patience <= now }) {
            errand.fallBehind(comparesRoster: true)
        }
        if !isUnused {
            errand.idleSince = nil
        } else if let since = errand.idleSince, since + conditions.settings.lingering <= now {
            // An answer under way would find the track gone, and perhaps another in its place.
            guard errand.question == nil, !errand.isCatchingUp else { return actions }
            forgetRecent()
            settle()
            return actions + [.leave]
        }
        // Asked again by the tick, at its pace, for as long as Redis is away.
        if conditions.isAnswered { advance(conditions, &actions) }
        if errand.isOver {
            settle()
        } else {
            errand.restsUntil = errand.nextDeadline(lingering: conditions.settings.lingering)
        }
        return actions
    }

    func look(_ errand: TrackErrand) -> Action {
        errand.restsUntil = nil
        return .look
    }

    /// Notes since when nobody listens, if so.
    mutating func rest(now: MonotonicTime, _ actions: inout [Action]) {
        guard isUnused else { return }
        busy.idleSince = now
        actions.append(look(busy))
    }
}
