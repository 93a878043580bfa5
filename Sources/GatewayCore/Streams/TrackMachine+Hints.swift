/// What other scripts tell of the stream, so that it need not be asked for.
extension TrackMachine {
    /// A connection of the inbox's user is about to be registered: what comes from now on is kept.
    package mutating func registrationBegan(_ conditions: TrackConditions) {
        let pending = busy
        pending.idleSince = nil
        if pending.registration == nil {
            pending.registration = PendingWork.Registration(
                breaks: conditions.isConnected ? conditions.breaks : nil)
        } else {
            pending.registration?.count += 1
        }
    }

    /// Where the inbox stood at the registration; nil where that did not come about or is not known.
    package mutating func registrationEnded(
        at position: Position?, _ conditions: TrackConditions
    ) -> [Action] {
        guard let pending, let registration = pending.registration else { return [] }
        pending.registration?.count -= 1
        if registration.count == 1 { pending.registration = nil }
        var actions: [Action] = []
        if let seen = self.position {
            // What came while the user had no connection here went to other nodes.
            if seen.epoch != position?.epoch || seen.seq < position?.seq ?? .max { pending.fallBehind() }
        } else if let position, pending.question == nil, registration.breaks == conditions.breaks {
            begin(at: position, nil, nil, timestamp: 0)
            release(conditions, &actions)
        }
        advance(conditions, &actions)
        actions.append(look(pending))
        rest(now: conditions.now, &actions)
        return actions
    }

    /// Where the stream and its roster stood when a connection of this node joined the room.
    package mutating func joined(
        at position: Position, _ roster: RosterState, _ conditions: TrackConditions
    ) -> [Action] {
        // A room that is followed already goes on without a hole, so a listener may enter where the script has seen it.
        guard self.position?.epoch == position.epoch else { return [] }
        busy.known = (
            PositionAnswer(head: position, roster: roster), conditions.now + conditions.settings.followTimeout
        )
        return [look(busy)]
    }
}
