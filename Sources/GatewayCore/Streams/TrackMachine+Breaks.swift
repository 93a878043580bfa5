/// Holes and breaks: what the channel did not bring is asked of the log, what cannot be filled is told.
extension TrackMachine {
    /// `catchUp` was answered.
    package mutating func caughtUp(
        _ result: Result<PositionAnswer, BackendError>, _ conditions: TrackConditions
    ) -> [Action] {
        guard let pending, case .catchingUp(let run) = pending.stage else { return [] }
        guard case .success(let found) = result else {
            // Redis is away: the tick asks again.
            pending.stage = .behind(comparesRoster: run.comparesRoster)
            return [look(pending)]
        }
        let answer = pending.cleaned(found)
        pending.stage = run.isDueAgain ? .behind(comparesRoster: false) : .steady
        var actions: [Action] = []
        let isExact = cursor.isExact && cursor.position?.seq == run.position.seq
        let fork = Fork(seen: run.position, at: cursor.timestamp, isExact: isExact, recent: recent)
        let verdict = fork.judge(
            answer, doubted: pending.doubted, limit: conditions.settings.catchUpLimit,
            keepsLog: conditions.limits.size > 0)
        // What was heard before the question was asked is in the answer or in no log: it belongs to a run of Redis
        // that has been rolled back, and would be asked about for ever.
        pending.held.drop(among: run.heldBefore) {
            $0.epoch != answer.head.epoch || $0.seq > answer.head.seq
                || verdict == .goesOn && $0.seq <= run.position.seq
        }
        switch verdict {
        case .readBehind(let seq):
            pending.fallBehind(comparesRoster: run.comparesRoster)
            pending.readsBehind = seq
            advance(conditions, &actions)
            return actions + [look(pending)]
        case .goesOn:
            if let newEpoch = cursor.goOn(under: answer.head.epoch) { actions.append(.epoch(newEpoch)) }
        case .lost(let seq):
            lose(answer, at: seq, &actions)
        case .lostAll(let seq):
            // The channel may have brought some of what is in no log.
            let next = pending.held.firstSeq(of: answer.head.epoch, behind: seq) ?? .max
            lose(answer, at: min(next - 1, answer.head.seq), &actions)
        }
        pending.doubted = nil
        compareSettings(answer, run, &actions)
        let goesOn = receive(answer, run, conditions, &actions)
        startParked(conditions, &actions)
        release(conditions, &actions)
        if run.comparesRoster, !goesOn, let state = answer.roster, let known = roster, state.version > known.version {
            if answer.head.epoch == run.position.epoch {
                roster = state
                actions.append(.rosterMoved(state))
                startParked(conditions, &actions)
            } else {
                // The nodes may be about to give this Redis again whom it has lost.
                actions += tellRosterLater(state, conditions)
            }
        }
        // Where nothing has come of it the tick asks again, not every round trip.
        if !pending.isBehind || cursor.position != run.position { advance(conditions, &actions) }
        actions.append(look(pending))
        return actions
    }

    /// Tells what the channel did not bring of the settings.
    ///
    /// Fewer than are known are those of a Redis that has lost some, unless the answer is older than what has come since.
    private mutating func compareSettings(
        _ answer: PositionAnswer, _ run: PendingWork.CatchUp, _ actions: inout [Action]
    ) {
        guard let state = answer.settings else { return }
        if state.version > settingsVersion {
            // A room that was closed and opened again meanwhile is another: whoever was in it is out.
            if !state.isClosed, state.closedAt > settingsVersion {
                actions.append(.settings(.closed(at: state.closedAt), .closed))
            }
            settings = state
            actions.append(.settings(state, state.isClosed ? .closed : .updated))
        } else if state.version == settingsVersion {
            let isNews = state != settings ?? .absent
            settings = state.version > 0 ? state : nil
            if isNews { actions.append(.settings(state, state.isClosed ? .closed : .updated)) }
        } else if state.version < settingsVersion, answer.head.epoch != run.position.epoch,
            run.settingsVersion == settingsVersion
        {
            settings = state.version > 0 ? state : nil
            actions.append(.settings(state, .restored))
        }
    }

    /// Redis has another roster than was told, and gets back what it had lost of it.
    mutating func tellRosterLater(_ state: RosterState, _ conditions: TrackConditions) -> [Action] {
        roster = state
        busy.rosterSettles = conditions.now + conditions.settings.rosterSettling
        var actions = [look(busy)]
        startParked(conditions, &actions)
        return actions
    }

    /// `compare` was answered, or all tracks are compared: where the room's head and roster stand, with an empty epoch where
    /// there is no head of this run of Redis.
    ///
    /// - Parameter asked: up to where everything was delivered when that was asked.
    package mutating func compared(
        _ head: Position, rosterVersion: Int64, settingsVersion: Int64 = 0, asked: Position?,
        _ conditions: TrackConditions
    ) -> [Action] {
        guard let seen = cursor.position else { return [] }
        let hasMoved = head.epoch != seen.epoch || head.seq > seen.seq
        let isBehind = head.isBehind(asked)
        guard hasMoved || isBehind || rosterVersion > roster?.version ?? .max || settingsVersion > knownSettings
        else { return [] }
        if isBehind { busy.doubt(from: head.seq + 1) }
        busy.fallBehind(comparesRoster: true)
        var actions = [look(busy)]
        advance(conditions, &actions)
        return actions
    }
}
