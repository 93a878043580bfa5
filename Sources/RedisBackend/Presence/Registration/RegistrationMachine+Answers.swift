import GatewayCore

/// What follows from Redis's answers.
extension RegistrationMachine {
    mutating func receive(_ answer: Result<Answer, CallFailure>, to call: Call) {
        switch call {
        case .connect(let registrant, let writer, let ticket):
            connected(registrant, writer, ticket, answer)
        case .resume(let registrant, let session, let writer, let ticket):
            resumed(registrant, session, writer, ticket, answer)
        case .join(let joining, _, _, let writer): joined(joining, writer, answer)
        case .disconnect(let departed, let departure, _): disconnected(departed, departure, answer)
        case .restore(let left, let holder): restored(left, holder, answer)
        case .leave(let place, let id, let departure, _):
            if case .failure(.failed) = answer { wait(.leave(place, connection: id, departure)) }
            recount(place.room)
        case .guests(let report, let writer, let reason): counted(report, writer, reason, answer)
        case .evict(let place, let id, _):
            if case .failure(.failed) = answer { wait(.evict(place, connection: id)) }
            recount(place.room)
        case .setState(let state, let registrant, _, let ticket): said(state, registrant, ticket, answer)
        case .hide(let place, _):
            if case .failure(.failed) = answer { wait(.hide(place.room, place.user)) }
        case .show(let place, let id, _, _, let ticket): shown(place, id, ticket, answer)
        case .remember(let room, _, _, let id, _):
            if case .failure(.failed) = answer { wait(.remember(room, connection: id)) }
        case .signal(_, _, let ticket): emit(.signalled(ticket, signalError(answer)))
        case .connectAgain(let registrant, _, let holder, let reason):
            let entry = HeldEntry.user(registrant.connection.userId, connection: registrant.connection.id)
            registeredAgain(entry, holder, reason, isRegistered: connectedAgain(registrant, holder, answer))
        case .joinAgain(let place, let id, _, _, _, let holder, let reason):
            let entry = HeldEntry.member(place.user, connection: id, room: place.room)
            registeredAgain(entry, holder, reason, isRegistered: joinedAgain(place.room, id, holder, answer))
        case .renounce(let partition, let holder): renounced(partition, holder, answer)
        case .readHeld(let partition, let holder): readHeld(partition, holder, answer)
        case .compare(let entries, let partition, let holder): compared(entries, partition, holder, answer)
        case .end(let entry, _):
            if case .failure = answer { doubtful.insert(entry.partition) }
        case .readMarks(let partition): readMarks(partition, answer)
        }
    }

    // MARK: Connections

    private mutating func connected(
        _ registrant: HeldConnections.Registrant, _ writer: Writer, _ ticket: Ticket,
        _ answer: Result<Answer, CallFailure>
    ) {
        let connection = registrant.connection
        let outcome: Connect.Answer? = if case .success(.connect(let outcome)) = answer { outcome } else { nil }
        if case .registered(let registered) = outcome {
            emit(.inboxStands(connection.userId, registered.inbox))
            receive(registered, registrant, writer)
            resumptions[connection.id] = nil
            let registration = Registration(
                session: seal.seal(registrant.session), timestamp: registered.now,
                missed: misses.removeValue(forKey: connection.id))
            return emit(.registered(ticket, .success(registration)))
        }
        emit(.inboxStands(connection.userId, nil))
        if case .failure(.failed) = answer { return wait(.connect(connection.id, ticket)) }
        switch outcome {
        case .fenced(let fence): refenced(connection.id, ticket, writer.holder, at: fence)
        case .banned: refuse(connection.id, ticket, .banned)
        case .void: refuse(connection.id, ticket, .tokenVoid)
        case .full: refuse(connection.id, ticket, .tooManyConnections)
        case .registered, .ended, .replaced, nil: refuse(connection.id, ticket, unreadable(answer))
        }
    }

    private mutating func resumed(
        _ registrant: HeldConnections.Registrant, _ session: SessionID, _ writer: Writer, _ ticket: Ticket,
        _ answer: Result<Answer, CallFailure>
    ) {
        let connection = registrant.connection
        let outcome: ResumeSession.Answer? = if case .success(.resume(let outcome)) = answer { outcome } else { nil }
        if case .resumed(let registered, let earlier) = outcome {
            emit(.inboxStands(connection.userId, registered.inbox))
            held.resumed(connection.id, session)
            receive(registered, HeldConnections.Registrant(connection, session), writer)
            return move(earlier, to: connection.id, now: registered.now, ticket)
        }
        emit(.inboxStands(connection.userId, nil))
        if case .failure(.failed) = answer { return wait(.connect(connection.id, ticket)) }
        switch outcome {
        case .missed(let miss):
            resumptions[connection.id] = nil
            misses[connection.id] = miss
            perform(.connect(connection.id, ticket))
        case .fenced(let fence): refenced(connection.id, ticket, writer.holder, at: fence)
        case .banned: refuse(connection.id, ticket, .banned)
        case .void: refuse(connection.id, ticket, .tokenVoid)
        case .full: refuse(connection.id, ticket, .tooManyConnections)
        case .resumed, nil: refuse(connection.id, ticket, unreadable(answer))
        }
    }

    private mutating func receive(
        _ registered: Connect.Registered, _ registrant: HeldConnections.Registrant, _ writer: Writer
    ) {
        standing.announced(writer.holder, in: registrant.session.partition)
        held.registered(registrant.connection.id, registered)
        setInvisible(registered.isInvisible, registrant.connection.userId)
        // What was joined since this was asked for found no session yet.
        rememberRooms(of: registrant.connection.id)
        if !registered.marked.isEmpty { emit(.tellMarked(registered.marked)) }
    }

    private mutating func refenced(_ id: String, _ ticket: Ticket, _ holder: Holder, at fence: Int64) {
        wait(.connect(id, ticket))
        fenced(holder, at: fence)
    }

    private mutating func disconnected(
        _ departed: Departed, _ departure: Departure, _ answer: Result<Answer, CallFailure>
    ) {
        switch answer {
        case .failure(.failed): return wait(.disconnect(departed, departure))
        case .success(.disconnect(.forgotten)): return restore(departed, departure.cause)
        case .success, .failure(.unreadable): break
        }
        guard case .farewell(let cause) = departure else { return }
        var hasMovedOn = false
        if case .success(.disconnect(.replaced)) = answer { hasMovedOn = true }
        for place in departed.places {
            perform(
                .leave(
                    place, connection: departed.registrant.connection.id, hasMovedOn ? .abrupt(cause) : departure))
        }
    }

    // MARK: Rooms

    private mutating func joined(_ joining: Joining, _ writer: Writer, _ answer: Result<Answer, CallFailure>) {
        let (room, id) = (joining.room, joining.connection)
        entrances.answered(joining)
        switch answer {
        case .success(.join(.joined(let roster, let stream))):
            standing.announced(writer.holder, in: Partition(of: room))
            held.entered(room, connection: id)
            // It may have been shown by another node that had not heard of it.
            if let user = held[id]?.user, held.isInvisible(user) { perform(.hide(room, user)) }
            // The room's members are the truth and come first; the session only remembers them, and a resumed one does so
            // already.
            if case .asked = joining.purpose, held[id]?.rooms[room] != nil { perform(.remember(room, connection: id)) }
            if let stream { emit(.roomStands(room, stream, roster)) }
            recount(room)
            self.answer(joining, .success(roster))
        case .success(.join(.fenced(let fence))):
            wait(.join(joining))
            fenced(writer.holder, at: fence)
        case .success(.join(.barred(let bar))): barred(joining, by: bar)
        case .failure(.failed(let error)), .failure(.unreadable(let error)): fail(joining, error)
        case .success: fail(joining, RegistrationMachine.strange)
        }
    }

    /// The room's settings keep the user out, who is not in it: a session that goes on does so without it.
    private mutating func barred(_ joining: Joining, by bar: RoomBar) {
        if joining.isNew, entrances.isLast(joining) {
            _ = held.leave(joining.room, connection: joining.connection)
            // The session may have been told of it meanwhile, or before.
            perform(.remember(joining.room, connection: joining.connection))
        }
        self.answer(joining, .failure(.barred(bar)))
    }

    /// Whether Redis took the join is not known: the comparison takes it away again, unless the connection was in the
    /// room before, which a failure does not change.
    private mutating func fail(_ joining: Joining, _ error: BackendError) {
        held.unsure(joining.room)
        if joining.isNew, entrances.isLast(joining) {
            _ = held.leave(joining.room, connection: joining.connection)
            perform(.remember(joining.room, connection: joining.connection))
        }
        doubtful.insert(Partition(of: joining.room))
        self.answer(joining, .failure(error))
    }

    private mutating func said(
        _ state: UserState, _ registrant: HeldConnections.Registrant, _ ticket: Ticket?,
        _ answer: Result<Answer, CallFailure>
    ) {
        var error: BackendError?
        switch answer {
        case .success(.state(.noted(let isInvisible))): setInvisible(isInvisible, registrant.connection.userId)
        case .success(.state(.notHeld)): error = .unavailable(reason: "the connection is being registered again")
        case .failure(.failed): return wait(.setState(state, connection: registrant.connection.id, ticket))
        case .failure(.unreadable(let failure)): error = failure
        case .success: error = RegistrationMachine.strange
        }
        if let ticket { emit(.shown(ticket, error)) }
    }

    /// Rooms know a user's members as the user is seen: each that differs is mended, here for all connections of this node.
    mutating func setInvisible(_ isInvisible: Bool, _ user: UserID) {
        guard held.setInvisible(isInvisible, user) else { return }
        var rooms: Set<RoomName> = []
        for connection in held.connections(of: user) { rooms.formUnion(connection.rooms.keys) }
        for room in rooms { perform(.hide(room, user)) }
    }

    /// What Redis has of it may still be what was shown before: the comparison looks for what is not there at all.
    private mutating func shown(
        _ place: Place, _ id: String, _ ticket: Ticket, _ answer: Result<Answer, CallFailure>
    ) {
        switch answer {
        case .success(.show(.shown)):
            perform(.remember(place.room, connection: id))
            emit(.shown(ticket, nil))
        case .success(.show(.notHeld)):
            doubtful.insert(Partition(of: place.room))
            emit(.shown(ticket, .unavailable(reason: "the connection is being registered in the room again")))
        case .failure(.failed): wait(.show(place.room, connection: id, ticket))
        case .failure(.unreadable(let error)): emit(.shown(ticket, error))
        case .success: emit(.shown(ticket, RegistrationMachine.strange))
        }
    }

    /// Moves the rooms of a session that goes on, all at once, and answers when all are moved.
    private mutating func move(_ earlier: ResumeSession.Earlier, to id: String, now: Int64, _ ticket: Ticket) {
        guard let resumption = resumptions.removeValue(forKey: id), let connection = held[id],
            let registrant = connection.registrant
        else { return emit(.registered(ticket, .failure(.backend(RegistrationMachine.gone)))) }
        var resumed = ResumedSession(rooms: [], forbidden: [])
        var moving: [(room: RoomName, shown: [UInt8]?)] = []
        for entry in earlier.rooms {
            let room = entry.name
            guard resumption.isAllowed(room) else {
                resumed.forbidden.append(room)
                continue
            }
            resumed.rooms.append(room)
            switch rules.presence(of: room) {
            case .off: held.joinQuietly(room, connection: id)
            case .full: moving.append((room, entry.shown))
            }
        }
        let registration = Registration(session: resumption.session, timestamp: now, resumed: resumed)
        let through = moves.begin(registration, rooms: moving.count, of: id, ticket)
        for (room, shown) in moving {
            _ = held.join(room, connection: id, info: resumption.info)
            if let shown { _ = held.show(shown, in: room, connection: id) }
            let purpose = Joining.Purpose.moved(from: earlier.connection)
            begin(Joining(room: room, connection: id, isNew: true, purpose: purpose))
        }
        for room in resumed.forbidden {
            perform(.remember(room, connection: id))
            perform(.evict(Place(room, registrant.connection.userId), connection: earlier.connection))
        }
        if let through { finish(through, id) }
    }

    mutating func entered(_ joining: Joining, _ result: Result<RosterState, BackendError>) {
        var error: BackendError?
        switch result {
        case .success(let roster):
            if let since = roster.since { moves.entered(joining.room, since: since, by: joining.connection) }
        case .failure(.barred): moves.refused(joining.room, by: joining.connection)
        case .failure(let failure): error = failure
        }
        if let through = moves.entered(by: joining.connection, error: error) { finish(through, joining.connection) }
    }

    private mutating func finish(_ move: RoomMoves.Move, _ id: String) {
        guard held[id] != nil else {
            return emit(.registered(move.ticket, .failure(.backend(RegistrationMachine.gone))))
        }
        if let error = move.error {
            // The session stays: the client's next try takes over from here.
            depart(id, .abrupt(.lost))
            return emit(.registered(move.ticket, .failure(.backend(error))))
        }
        emit(.registered(move.ticket, .success(move.registration)))
    }

    // MARK: Signals and strange answers

    private func signalError(_ answer: Result<Answer, CallFailure>) -> SignalError? {
        switch answer {
        case .success(.signal(.passed)): nil
        case .success(.signal(.notMember)): .notMember
        case .success(.signal(.notFound)): .notFound
        case .success(.signal(.barred(let bar))): .backend(.barred(bar))
        case .success(.signal(.unknown)):
            .backend(.unavailable(reason: "the link to Redis broke: whether it was passed on is not known"))
        case .failure(.failed(let error)), .failure(.unreadable(let error)): .backend(error)
        case .success: .backend(RegistrationMachine.strange)
        }
    }

    private func unreadable(_ answer: Result<Answer, CallFailure>) -> RegistrationError {
        switch answer {
        case .failure(.failed(let error)), .failure(.unreadable(let error)): .backend(error)
        case .success: .backend(RegistrationMachine.strange)
        }
    }

    static var strange: BackendError { .unavailable(reason: "a script gave an answer that is not one to its question") }
}
