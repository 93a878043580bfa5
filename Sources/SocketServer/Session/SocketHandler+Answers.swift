import GatewayCore

/// What comes back from elsewhere, told to the session.
extension SocketHandler {
    func registered(_ result: Result<Registration, RegistrationError>) {
        switch result {
        case .success(let registration):
            if let resumed = registration.resumed {
                spend(Prices.resumption(rooms: resumed.rooms.count + resumed.forbidden.count), now: hub.now)
            }
            perform(machine.registered(registration))
        case .failure(let error): perform(machine.registrationFailed(error))
        }
    }

    /// Asks again, where the connection still waits for it.
    func retryRegistration() {
        guard isOpen else { return }
        perform(machine.retryRegistration())
    }

    func enrolled(_ room: RoomName, _ result: Result<RosterState, BackendError>) {
        switch result {
        case .success: perform(machine.enrolled(room))
        case .failure(let error): perform(machine.enrollmentFailed(room, error))
        }
    }

    func streamReady(_ room: RoomName, _ start: StreamStart) {
        perform(machine.streamReady(room, start, now: hub.now))
    }

    func streamFailed(_ room: RoomName, _ error: BackendError) {
        perform(machine.streamFailed(room, error))
    }

    /// Asks again for a stream that could not be had, where it is still wanted.
    func retry(_ room: RoomName) {
        guard isOpen else { return }
        perform(machine.retry(room))
    }

    func publishAnswered(id: RequestID?, room: RoomName, _ result: Result<Published, BackendError>) {
        perform(machine.publishAnswered(id: id, room: room, result))
    }

    func historyAnswered(id: RequestID?, range: HistoryRange, _ result: Result<HistoryPage, BackendError>) {
        if case .success(let page) = result {
            let bytes = page.messages.reduce(0) { $0 + $1.payload.count + 128 }
            spend(Prices.logBytes(bytes, isCompressing: isCompressing), now: hub.now)
        }
        perform(machine.historyAnswered(id: id, range: range, result))
    }

    func membersAnswered(id: RequestID?, room: RoomName, _ result: Result<MemberPage, DirectoryError>) {
        if case .success(let page) = result {
            let bytes = page.members.reduce(0) { $0 + $1.info.count + 64 }
            spend(Prices.members(page.members.count, bytes: bytes), now: hub.now)
        }
        perform(machine.membersAnswered(id: id, room: room, result))
    }

    func sharersFound(id: RequestID?, of users: [UserID], _ sharers: Set<UserID>) {
        perform(machine.sharersFound(id: id, of: users, sharers))
    }

    func sharersUnknown(id: RequestID?, of users: [UserID], unwatched: [UserID], _ error: DirectoryError) {
        perform(machine.sharersUnknown(id: id, of: users, unwatched: unwatched, error))
    }

    func watching(id: RequestID?, _ users: [UserStatus], refused: [UserID]) {
        perform(machine.watching(id: id, users, refused: refused))
    }

    func watchFailed(id: RequestID?, asked: Int, unwatched: [UserID], _ error: BackendError) {
        perform(machine.watchFailed(id: id, asked: asked, unwatched: unwatched, error.request))
    }

    func signalAnswered(id: RequestID?, _ result: Result<Void, SignalError>) {
        perform(machine.signalAnswered(id: id, result))
    }

    func verified(_ result: Result<Identity, TokenError>) {
        switch result {
        case .success(let identity): perform(machine.verified(identity))
        case .failure(let error):
            perform(machine.refused(error))
            hub.census.expose(seat)
        }
        superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
    }

    func confirmed(_ admission: Clearance) {
        perform(machine.confirmed(admission))
        superviseIfNeeded(now: hub.now, wallMilliseconds: hub.wallMilliseconds)
    }

    func drain(afterMilliseconds: Int) {
        perform(machine.drain(afterMilliseconds: afterMilliseconds))
    }
}
