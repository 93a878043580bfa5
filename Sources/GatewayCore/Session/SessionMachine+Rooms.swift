/// Joining, leaving, sending and reading.
extension SessionMachine {
    mutating func join(_ room: RoomName, _ since: ClientPosition?, _ request: ClientRequest) -> [Action] {
        if room.isInbox, !isOwnInbox(room) { return refuse(request.id, .forbidden, "another user's inbox") }
        switch membership(of: room) {
        case .joined:
            guard let since else { return [.tellPosition(id: request.id, room: room)] }
            return follow(room, Joining(id: request.id, since: since, origin: .again(wasLive: true)))
        case .awaiting:
            return follow(room, Joining(id: request.id, since: since, origin: .again(wasLive: false)))
        case .joining(var joining) where joining.waitsForPosition:
            (joining.id, joining.since, joining.origin) = (request.id, since, .again(wasLive: false))
            rooms[room] = .joining(joining)
            return []
        case .joining:
            return hold(request)
        case nil:
            return joinFresh(room, since, id: request.id)
        }
    }

    /// A backend puts the user into a room: it is joined as if the client had asked, as far as the token allows that.
    package mutating func invited(to room: RoomName) -> [Action] {
        guard isLive, !isVisitor, membership(of: room) == nil, let identity, isAllowed(.join, in: room),
            rooms.count < settings.limits.maxRooms
        else { return [] }
        return enter(room, Joining(id: nil, since: nil, origin: .invited), identity)
    }

    private mutating func joinFresh(_ room: RoomName, _ since: ClientPosition?, id: RequestID?) -> [Action] {
        if isGuest { return joinAsGuest(room, since, id: id) }
        guard let identity, isAllowed(.join, in: room) else {
            return refuse(id, .forbidden, "the room may not be joined")
        }
        guard rooms.count < settings.limits.maxRooms else {
            return refuse(id, tooManyRooms)
        }
        let joining = Joining(id: id, since: since, origin: .fresh)
        return settings.rules.asks(.join, in: room) ? ask(about: room, joining) : enter(room, joining, identity)
    }

    var tooManyRooms: RequestError { RequestError(.forbidden, "no more than \(settings.limits.maxRooms) rooms") }

    mutating func enter(_ room: RoomName, _ joining: Joining, _ identity: Identity) -> [Action] {
        switch settings.rules.presence(of: room) {
        case .full:
            return [.enroll(enroll(in: room, joining), info: identity.shownInfo)]
        case .off:
            return [.enrollQuietly(room)] + follow(room, joining)
        }
    }

    /// Asks the registry anew: who was put out while it was asked may have come again before its answer.
    mutating func enroll(in room: RoomName, _ joining: Joining) -> Enrollment {
        enrollments &+= 1
        var joining = joining
        joining.enrollment = enrollments
        setMembership(of: room, .joining(joining))
        return Enrollment(room: room, number: enrollments)
    }

    mutating func follow(_ room: RoomName, _ joining: Joining) -> [Action] {
        setMembership(of: room, .joining(joining))
        return [.follow(room, since: joining.since)]
    }

    mutating func leave(_ room: RoomName, _ request: ClientRequest) -> [Action] {
        if isVisitor { return unsubscribe(room, request) }
        if room.isEveryone || room.isInbox {
            return refuse(request.id, .badRequest, "roomId: a room that cannot be left")
        }
        guard !held.contains(where: { $0.message.room == room }) else { return hold(request) }
        let left = Action.send(.left(id: request.id, room: room))
        return switch rooms[room] {
        case .joining: hold(request)
        case .joined, .awaiting: drop(room) + [left]
        case nil: [left]
        }
    }

    /// Ends a membership, here and in the registry.
    mutating func drop(_ room: RoomName) -> [Action] {
        forget(room)
        return [.withdraw(room), .leave(room)]
    }

    mutating func forget(_ room: RoomName) {
        setMembership(of: room, nil)
        if isVisitor { forgetSubscription(to: room) }
        memberSince[room] = nil
    }

    mutating func publish(_ message: MessageCommand, _ request: ClientRequest) -> [Action] {
        if isVisitor { return sendEvent(message, request) }
        let room = message.room
        if room.isEveryone || room.isInbox {
            return refuse(request.id, .forbidden, "only backends write to this room")
        }
        switch rooms[room] {
        case .joining: return hold(request)
        case .joined, .awaiting: break
        case nil: return refuse(request.id, .notMember, "join the room first")
        }
        guard isAllowed(.publish, in: room) else { return refuseMessage(request.id) }
        if settings.rules.asks(.publish, in: room) { return ask(about: message, request) }
        return send(message, id: request.id)
    }

    func refuseMessage(_ id: RequestID?) -> [Action] {
        refuse(id, .forbidden, "messages to this room are not allowed")
    }

    func send(_ message: MessageCommand, id: RequestID?) -> [Action] {
        guard let identity else { return [] }
        let room = message.room
        var publication = Publication(
            room: room, userId: identity.userId, msgType: message.msgType, event: message.event,
            payload: message.payload,
            dedupe: message.dedupe.map { DedupeMark(owner: .user(identity.userId), key: $0) })
        publication.isVolatile = message.isVolatile
        publication.heedsSettings = true
        return [.publish(publication, echo: message.echo, id: id)]
    }

    mutating func readHistory(of room: RoomName, _ range: HistoryRange, _ request: ClientRequest) -> [Action] {
        guard isAllowed(.history, in: room) else {
            return refuse(request.id, .forbidden, "the room's history may not be read")
        }
        if let answer = keepOut(request, for: .history, in: room) { return answer }
        guard reads < settings.limits.maxReads else { return holdRead(request) }
        reads += 1
        var range = range
        range.maxBytes = settings.limits.maxPageBytes
        return [.readHistory(room: room, range: range, id: request.id)]
    }

    // MARK: Answers

    /// The connection is on the room's roster, or is not.
    mutating func enrolled(_ enrollment: Enrollment, _ result: Result<RosterState, BackendError>) -> [Action] {
        let room = enrollment.room
        guard isLive, case .joining(let joining) = rooms[room], joining.enrollment == enrollment.number else {
            return []
        }
        switch result {
        case .success(let roster):
            if !isVisitor { memberSince[room] = roster.since }
            return [.follow(room, since: joining.since)]
        case .failure(let error):
            forget(room)
            if case .invited = joining.origin { return serveWaiting(for: room) }
            return refuse(joining.id, error.request) + serveWaiting(for: room)
        }
    }

    /// The stream of a room that was asked for is there.
    mutating func joined(_ room: RoomName, _ start: StreamStart) -> [Action] {
        guard case .joining(let joining) = membership(of: room) else { return [] }
        if isVisitor { return subscribed(room, joining, start) }
        if isGuest, start.settings != nil { return expel(from: room, joining, SessionMachine.governed) }
        if let anew = followWithoutPast(room, joining, start) { return anew }
        if case .resumed = joining.origin { return gathered(room, .success(start)) }
        guard isAllowed(.join, in: room) else { return expel(from: room, joining) }
        setMembership(of: room, .joined)
        switch joining.origin {
        case .fresh, .again, .resumed, .invited:
            var answer = Joined(
                room: room, position: start.position, recovered: start.recovered && !joining.isCut,
                roster: roster(of: room, start), settings: start.settings)
            answer.isArchiveAway = start.isArchiveAway
            answer.role = start.reading?.role
            let told: [Action] = [.send(.joined(id: joining.id, answer)), .enter(room, .start(start))]
            guard isGuest, case .fresh = joining.origin else { return told + serveWaiting(for: room) }
            // Told before the client is answered, so that whoever it tells finds the room occupied.
            return attend(room) + told + serveWaiting(for: room)
        case .silent:
            return notices(of: room, start) + [.enter(room, .start(start))] + serveWaiting(for: room)
        case .late:
            return notices(of: room, start) + notice(of: room, start, since: joining.since)
                + [.enter(room, .start(start))] + serveWaiting(for: room)
        }
    }

    /// How a room goes on of which the client waits for nothing: who had said no position has lost what came meanwhile.
    private func notice(of room: RoomName, _ start: StreamStart, since: ClientPosition?) -> [Action] {
        guard let since, start.recovered else { return [.send(.gap(room: room, position: start.beginning))] }
        guard let epoch = since.epoch, epoch != start.position.epoch else { return [] }
        return [.send(.epoch(room: room, position: Position(epoch: start.position.epoch, seq: since.seq)))]
    }

    /// Asks anew, for what comes from now on, where the role, or a guest, may not have what was before; nil where it is as
    /// asked. What a member missed during a break is no past.
    private mutating func followWithoutPast(
        _ room: RoomName, _ joining: Joining, _ start: StreamStart
    ) -> [Action]? {
        guard start.reading?.history == false || isGuest && !isAllowed(.history, in: room),
            start.hasMore || !start.missed.isEmpty
        else { return nil }
        if let asked = joining.since, wasMember(of: room, at: asked, start) { return nil }
        var joining = joining
        joining.since = nil
        joining.isCut = true
        return follow(room, joining)
    }

    /// Whether all that comes behind a position came while the user was in the room.
    ///
    /// Counted, since two readings of the clock may be in any order. The count goes on from epoch to epoch. After one that was
    /// lost with the room's head it is not known, and the past stays out: a position below the user's may also be that of a
    /// node that is behind.
    private func wasMember(of room: RoomName, at asked: ClientPosition, _ start: StreamStart) -> Bool {
        guard let since = memberSince[room] else { return false }
        return asked.seq(at: start.position.seq) >= since
    }

    /// What this client may know of the roster.
    private func roster(of room: RoomName, _ start: StreamStart) -> RosterState? {
        seesPresence(in: room) && start.reading?.presence != false ? start.roster : nil
    }

    /// The stream of a room that was asked for is not to be had.
    mutating func notJoined(_ room: RoomName, _ error: RequestError) -> [Action] {
        guard case .joining(let joining) = membership(of: room) else { return [] }
        switch joining.origin {
        case .invited:
            forget(room)
            return [.withdraw(room)] + serveWaiting(for: room)
        case .fresh:
            forget(room)
            return [.withdraw(room)] + refuse(joining.id, error) + serveWaiting(for: room)
        case .again(let wasLive):
            guard isAllowed(.join, in: room) else { return expel(from: room, joining) }
            guard wasLive else { return refuse(joining.id, error) + goOnLater(room, from: joining.since) }
            setMembership(of: room, .joined)
            return refuse(joining.id, error) + serveWaiting(for: room)
        case .resumed:
            return gathered(room, .failure(error))
        case .silent, .late:
            return goOnLater(room, from: joining.since)
        }
    }

    /// The token was replaced, while the room's stream was asked for, by one that does not allow the room.
    private mutating func expel(
        from room: RoomName, _ joining: Joining, _ text: String = "the room may not be joined"
    ) -> [Action] {
        let answer: [Action] =
            switch joining.origin {
            case .fresh, .again, .resumed: refuse(joining.id, .forbidden, text)
            case .silent, .late: [.send(.left(id: nil, room: room))]
            case .invited: []
            }
        return drop(room) + answer + serveWaiting(for: room)
    }

    /// The room was closed, or the user put out of it: the client is told, and out.
    package mutating func putOut(_ change: RoomChange) -> [Action] {
        let room = change.room
        let refusal = RequestError(
            .forbidden, change.event == .closed ? "the room was closed" : RoomBar.removed.request.message)
        switch rooms[room] {
        case .joined, .awaiting: return [.send(.room(change))] + drop(room) + serveWaiting(for: room)
        case .joining(let joining):
            switch joining.origin {
            case .fresh, .again:
                // A visitor is told of either in the same words.
                return (isVisitor ? [] : [.send(.room(change))]) + drop(room) + refuse(joining.id, refusal)
                    + serveWaiting(for: room)
            case .silent, .late: return [.send(.room(change))] + drop(room) + serveWaiting(for: room)
            case .invited: return drop(room) + serveWaiting(for: room)
            // Others of the session's rooms wait for its answer.
            case .resumed: return [.send(.room(change))] + gathered(room, .failure(refusal))
            }
        case nil: return []
        }
    }

    /// A member whose stream could not be had goes on without asking again, as soon as it can.
    mutating func goOnLater(_ room: RoomName, from since: ClientPosition?) -> [Action] {
        setMembership(of: room, .joining(Joining(id: nil, since: since, origin: .late)))
        return [.followLater(room)]
    }

    mutating func serveWaiting(for room: RoomName) -> [Action] {
        let requests = waiting.take(for: room)
        let actions = requests.flatMap { serve($0) }
        guard waiting.hasRoomless, !isEnteringRooms else { return actions }
        return actions + waiting.takeRoomless().flatMap { serve($0) }
    }

    /// Whether there are rooms of which this client is not a member yet and may be one soon.
    var isEnteringRooms: Bool {
        rooms.contains { entry in
            if case .joining(let joining) = entry.value { return !joining.isMember }
            return false
        }
    }

    /// What became of a `publish`.
    func published(
        id: RequestID?, room: RoomName, _ result: Result<Published, BackendError>
    ) -> [Action] {
        guard isLive else { return [] }
        return switch result {
        case .success(let published): [.send(.ack(id: id, room: room, published: published))]
        case .failure(let error): refuse(id, error.request)
        }
    }

    /// What became of a `readHistory`.
    mutating func historyRead(
        id: RequestID?, range: HistoryRange, _ result: Result<HistoryPage, BackendError>
    ) -> [Action] {
        guard isLive else { return [] }
        switch result {
        case .success(let page):
            let cut = page.cut(toBytes: settings.limits.maxPageBytes, readFrom: range.edge)
            return [.sendPage(.history(id: id, page: cut))]
        case .failure(let error):
            return refuse(id, error.request) + readEnded()
        }
    }
}
