/// How listeners go live: they wait until the channel has brought all up to the position that Redis gave for them.
extension TrackMachine {
    package mutating func listenerCame(_ listener: Listener, _ conditions: TrackConditions) -> [Action] {
        busy.idleSince = nil
        var actions: [Action] = []
        wait(listener, &actions)
        advance(conditions, &actions)
        return actions
    }

    /// A hub has no listener any more, live or waiting; `isFollowed` says whether another has a live one.
    package mutating func left(_ hub: HubNumber, isFollowed: Bool, now: MonotonicTime) -> [Action] {
        setFollowed(isFollowed)
        pending?.forget(hub)
        var actions: [Action] = []
        rest(now: now, &actions)
        return actions
    }

    /// `ask` was answered.
    package mutating func answered(
        _ result: Result<PositionAnswer, BackendError>, _ conditions: TrackConditions
    ) -> [Action] {
        guard let pending, let question = pending.question else { return [] }
        pending.question = nil
        var actions: [Action] = []
        switch result {
        case .failure(let error):
            for listener in question.listeners { fail(listener, error, now: conditions.now, &actions) }
        case .success(let answer) where answer.head.isBehind(question.seen):
            busy.doubt(from: answer.head.seq + 1)
            for listener in question.listeners { wait(listener, &actions) }
        case .success(let answer):
            let answer = pending.cleaned(answer)
            if position == nil {
                begin(at: answer.head, answer.roster, answer.settings, timestamp: answer.timestamp)
                // What came between the answer and a subscription that was renewed since went to nobody.
                if question.breaks != conditions.breaks { actions.append(.compare) }
            }
            remember(answer, &actions)
            for listener in question.listeners {
                start(listener, answer, since: conditions.now, conditions, &actions)
            }
            release(conditions, &actions)
        }
        advance(conditions, &actions)
        return actions
    }

    /// Asks what the state calls for; at most one question of each kind is under way.
    mutating func advance(_ conditions: TrackConditions, _ actions: inout [Action]) {
        guard let pending, conditions.isConnected, isSubscribed || conditions.isInbox else { return }
        switch pending.stage {
        case .catchingUp:
            return
        case .behind(let comparesRoster):
            guard let position, let fork else { return }
            pending.stage = .catchingUp(
                PendingWork.CatchUp(
                    position: position, heldBefore: pending.held.count, comparesRoster: comparesRoster,
                    settingsVersion: settingsVersion))
            let after = pending.readsBehind ?? fork.readsBehind
            pending.readsBehind = nil
            actions.append(.catchUp(LogPart(after: after, limit: conditions.settings.catchUpLimit)))
        case .unknown, .steady:
            guard !pending.waiting.isEmpty, pending.question == nil else { return }
            serveByWhatIsKnown(pending, conditions, &actions)
            guard !pending.isBehind, !pending.waiting.isEmpty else { return }
            let part =
                conditions.limits.size > 0
                ? LogPart(
                    for: pending.waiting, seen: position?.seq, recent: recent,
                    limit: conditions.settings.recoverLimit) : nil
            pending.question = PendingWork.Question(
                listeners: pending.waiting, seen: position, breaks: conditions.breaks)
            pending.waiting = []
            actions.append(.ask(part))
        }
    }

    /// Takes those live who want nothing of the past, by what is known of the stream without a question.
    ///
    /// Of a room with a roster that is what the last join has found, so that each listener's position is no older than
    /// its own join. An inbox is known by its registration, everyone's room and those without a roster by their channel.
    private mutating func serveByWhatIsKnown(
        _ pending: PendingWork, _ conditions: TrackConditions, _ actions: inout [Action]
    ) {
        guard let seen = position else { return }
        let known: PositionAnswer
        if conditions.keepsRoster {
            guard let found = pending.known?.answer, found.head.epoch == seen.epoch else { return }
            known = found
        } else {
            known = PositionAnswer(head: seen, roster: nil)
        }
        for listener in pending.takeNewcomers() {
            start(listener, known, since: conditions.now, conditions, &actions)
        }
    }

    /// Puts a listener among those to be asked for, where the tick watches its deadline.
    private mutating func wait(_ listener: Listener, _ actions: inout [Action]) {
        busy.waiting.append(listener)
        actions.append(look(busy))
    }

    /// Takes a listener live at the position that Redis gave for it, if the stream has come that far.
    private mutating func start(
        _ listener: Listener, _ answer: PositionAnswer, since: MonotonicTime, _ conditions: TrackConditions,
        _ actions: inout [Action]
    ) {
        guard let seen = position, seen.epoch == answer.head.epoch else {
            // The room has gone over to another epoch: catch up, then ask again.
            busy.fallBehind()
            return wait(listener, &actions)
        }
        guard seen.seq >= answer.head.seq, hasReached(answer.roster) else {
            busy.parked.append(ParkedListener(listener: listener, answer: answer, since: since))
            return actions.append(look(busy))
        }
        let found = ListenerStart(
            since: listener.since, answer: answer, seen: seen, recent: recent, roster: roster,
            portion: listener.portion, limit: conditions.settings.recoverLimit, limits: conditions.limits)
        switch found {
        case .readLog:
            var listener = listener
            listener.readsLog = true
            wait(listener, &actions)
        case .start(var start):
            if let settings, settings.isGoverned { start.settings = settings }
            actions.append(.start(listener, start))
            if start.hasMore { rest(now: conditions.now, &actions) } else { setFollowed(true) }
        }
    }

    /// Whether the roster that a listener is told has been reached by what the channel brought.
    private func hasReached(_ state: RosterState?) -> Bool {
        guard let state, let roster else { return true }
        return roster.version >= state.version
    }

    /// Those whose position has been reached go live.
    mutating func startParked(_ conditions: TrackConditions, _ actions: inout [Action]) {
        guard let pending, !pending.parked.isEmpty else { return }
        let parked = pending.parked
        pending.parked = []
        for one in parked { start(one.listener, one.answer, since: one.since, conditions, &actions) }
    }

    mutating func fail(
        _ listener: Listener, _ error: BackendError, now: MonotonicTime, _ actions: inout [Action]
    ) {
        actions.append(.fail(listener, error))
        rest(now: now, &actions)
    }
}
