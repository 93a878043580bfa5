import GatewayCore

/// What comes back from elsewhere, told to the session.
extension SocketHandler {
    func answered(_ answer: SessionMachine.Answer) {
        let now = hub.now
        if let spending = answer.spending(isCompressing: isCompressing) { spend(spending, now: now) }
        perform(machine.answered(answer, now: now))
        switch answer {
        case .verified(.failure):
            hub.census.expose(slot)
            superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
        case .ruled:
            if machine.awaitsToken { hub.census.expose(slot) }
            superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
        case .verified(.success), .confirmed:
            // Another token may end at another time.
            superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
        case .registered, .enrolled, .rosterRead,
            .streamReady, .streamFailed, .published, .history, .members, .sharersFound,
            .sharersUnknown, .watching, .watchFailed, .signalled, .shown, .ordered:
            break
        }
    }

    /// A room was closed that the connection is in, or about to enter, or its user was put out of it.
    func putOut(_ change: RoomChange) {
        guard isOpen else { return }
        perform(machine.putOut(change))
    }

    /// A backend puts the user into a room.
    func invited(to room: RoomName) {
        guard isOpen else { return }
        perform(machine.invited(to: room))
    }

    // MARK: Later

    /// Asks again, where the connection still waits for it.
    func retryRegistration() {
        guard isOpen else { return }
        perform(machine.retryRegistration())
    }

    /// Asks again for a stream that could not be had, where it is still wanted.
    func retry(_ room: RoomName) {
        guard isOpen else { return }
        perform(machine.retry(room))
    }

    func drain(afterMilliseconds: Int) {
        guard dialect == nil else {
            machine.goElsewhere(at: hub.now + .milliseconds(afterMilliseconds))
            return superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
        }
        perform(machine.drain(afterMilliseconds: afterMilliseconds))
    }
}
