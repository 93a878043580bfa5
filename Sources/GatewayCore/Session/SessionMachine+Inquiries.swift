/// The backend's word: what it is asked about this client, and what follows from its answers.
extension SessionMachine {
    /// One question. Whoever gets its answer is found by its number; an answer that nobody waits for any more is dropped.
    package struct Inquiry: Hashable, Sendable {
        package enum Subject: Hashable, Sendable {
            /// With this token, or without one that which was shown last.
            case connect(UserID?, token: String?)
            case join(RoomName)
            case publish(RoomName, payload: [UInt8])
        }

        package let number: UInt32
        package let subject: Subject

        package init(number: UInt32, subject: Subject) {
            self.number = number
            self.subject = subject
        }
    }

    /// A connection of which the backend decides whether it is let in.
    struct Deciding: Sendable {
        let number: UInt32
        /// As whom, where that is known without it.
        let identity: Identity?
    }

    /// A message that waits for the backend, or for one before it in the same room.
    struct HeldMessage: Sendable {
        var number: UInt32
        let id: RequestID?
        let message: MessageCommand
        var ruling: Ruling?
    }

    /// How long a client may take to show a token in its first frame before the backend is asked without one, where it has
    /// shown nothing else.
    static let silence = Duration.milliseconds(500)
    /// How long one that the backend does not know may still show one.
    static let secondThought = Duration.seconds(2)

    private mutating func inquire(_ subject: Inquiry.Subject) -> Inquiry {
        inquiries &+= 1
        return Inquiry(number: inquiries, subject: subject)
    }

    // MARK: Who is let in

    /// From the opening; nil where there is nothing to wait for but a token.
    func tokenPatience(_ opening: Opening) -> Duration? {
        if opening.denial != nil { return SessionMachine.secondThought }
        return opening.mayAskWithoutToken ? SessionMachine.silence : nil
    }

    /// A client that nobody knows yet shows a token.
    ///
    /// - Parameter id: of the frame that it came in, which `welcome` answers.
    mutating func show(_ token: String, _ opening: Opening, id: RequestID? = nil) -> [Action] {
        var opening = opening
        opening.token = token
        opening.id = id
        opening.mayAskWithoutToken = false
        if settings.asksBackend, !settings.checksTokens { return decide(on: nil, opening) }
        phase = .verifying(opening)
        return [.verify(token: token)]
    }

    mutating func askWithoutToken(_ opening: Opening) -> [Action] {
        var opening = opening
        opening.mayAskWithoutToken = false
        return decide(on: nil, opening)
    }

    /// Asks the backend, where there is one, about a client who it is known to be, or of whom nothing is known.
    mutating func decide(on identity: Identity?, _ opening: Opening) -> [Action] {
        guard settings.asksBackend else { return identity.map { register($0, opening) } ?? [] }
        let inquiry = inquire(.connect(identity?.userId, token: opening.token))
        phase = .deciding(opening, Deciding(number: inquiry.number, identity: identity))
        return [.ask(inquiry)]
    }

    /// Asks the backend about a client with a fresh token.
    mutating func decide(anewOn identity: Identity, token: String, id: RequestID?) -> [Action] {
        let inquiry = inquire(.connect(identity.userId, token: token))
        refresh = .deciding(id: id, identity, token: token, number: inquiry.number)
        return [.ask(inquiry)]
    }

    mutating func ruled(_ inquiry: Inquiry, _ ruling: Ruling, now: MonotonicTime) -> [Action] {
        switch inquiry.subject {
        case .connect: ruledOnClient(inquiry.number, ruling, now: now)
        case .join(let room): ruledOnRoom(room, inquiry.number, ruling)
        case .publish: ruledOnMessage(inquiry.number, ruling)
        }
    }

    private mutating func ruledOnClient(_ number: UInt32, _ ruling: Ruling, now: MonotonicTime) -> [Action] {
        switch phase {
        case .deciding(let opening, let deciding) where deciding.number == number:
            return decided(opening, deciding.identity, ruling, now: now)
        case .live:
            if case .deciding(let id, let fresh, let token, number) = refresh {
                refresh = nil
                return decidedAnew(fresh, token: token, id: id, ruling)
            }
            return number == lastReview ? reviewed(ruling) : []
        case .waitingForToken, .verifying, .deciding, .registering, .entering, .closed: return []
        }
    }

    private mutating func decided(
        _ opening: Opening, _ known: Identity?, _ ruling: Ruling, now: MonotonicTime
    ) -> [Action] {
        switch ruling {
        // Whoever has shown a token is to be somebody.
        case .allowed(let grant)
        where settings.takesGuests && grant.userId == nil && known == nil && opening.token == nil:
            return openAsGuest(now: now, session: opening.session)
        case .allowed(let grant):
            let decided = known.map { $0.given(grant) } ?? grant.identity
            guard let identity = decided else { return close(.unavailable) }
            return register(identity, opening)
        case .denied(let denial):
            // A library shows its token in its first frame, which may still be on its way.
            guard denial.code == .unauthorized, known == nil, opening.token == nil, settings.takesTokens,
                waiting.isEmpty
            else { return close(denial.reason, denial.message) }
            var opening = opening
            opening.denial = denial
            phase = .waitingForToken(opening)
            return []
        case .failed(let isPassed):
            guard isPassed, let known else { return close(.unavailable, Denial.unavailable.message) }
            return register(known, opening)
        }
    }

    private mutating func decidedAnew(
        _ fresh: Identity, token: String, id: RequestID?, _ ruling: Ruling
    ) -> [Action] {
        let next: Identity
        switch ruling {
        case .allowed(let grant): next = fresh.given(grant) ?? fresh
        case .denied(let denial): return refuse(id, denial.request)
        case .failed(isPassed: false): return refuse(id, Denial.unavailable)
        case .failed(isPassed: true):
            var same = fresh
            same.given = identity?.given
            next = same
        }
        // What was to be asked again has been, with the token that counts from here on.
        let isReview = lastReview > 0
        lastReview = 0
        return [.keepToken(token)] + renew(next, id: id) + (isReview ? reviewRooms() : []) + joinGiven()
    }

    // MARK: Asked again

    /// The backend wants to be asked again about this client.
    package mutating func mustAskAgain() -> [Action] {
        guard isLive, settings.asksBackend, !isVisitor, let identity else { return [] }
        let inquiry = inquire(.connect(identity.userId, token: nil))
        lastReview = inquiry.number
        firstRoomReview = inquiry.number
        return [.ask(inquiry)] + askOnceMore()
    }

    /// Asks once more what was asked before and has not been gone by yet, so that no answer from before counts.
    private mutating func askOnceMore() -> [Action] {
        var actions: [Action] = []
        if case .deciding(let id, let fresh, let token, _) = refresh {
            actions += decide(anewOn: fresh, token: token, id: id)
        }
        for room in rooms.keys.sorted(by: { $0.string < $1.string }) {
            guard case .joining(let joining) = rooms[room], joining.inquiry > 0 else { continue }
            actions += ask(about: room, joining)
        }
        for index in held.indices {
            let message = held[index].message
            let inquiry = inquire(.publish(message.room, payload: message.payload))
            (held[index].number, held[index].ruling) = (inquiry.number, nil)
            actions.append(.ask(inquiry))
        }
        return actions
    }

    private mutating func reviewed(_ ruling: Ruling) -> [Action] {
        lastReview = 0
        guard let identity else { return [] }
        switch ruling {
        case .allowed(let grant):
            guard let next = identity.given(grant) else { return close(.forbidden, "the backend names another user") }
            return goOn(as: next) + reviewRooms() + joinGiven()
        case .denied(let denial): return close(denial.reason, denial.message)
        case .failed(isPassed: true): return []
        case .failed(isPassed: false): return close(.unavailable, Denial.unavailable.message)
        }
    }

    /// Asks for those rooms that the client is in by the backend's word, or about to be.
    mutating func reviewRooms() -> [Action] {
        guard settings.asksBackend, settings.rules.askBackend else { return [] }
        firstRoomReview = inquiries &+ 1
        return rooms.keys.filter { settings.rules.asks(.join, in: $0) && !isAskedAbout($0) }
            .sorted { $0.string < $1.string }.map { .ask(inquire(.join($0))) }
    }

    /// Asks about the rooms that a session brings back, of which nothing is handed over before the answer.
    mutating func askAboutReturns() -> [Action] {
        guard settings.asksBackend, settings.rules.askBackend else { return [] }
        var actions: [Action] = []
        for room in rooms.keys.sorted(by: { $0.string < $1.string }) where settings.rules.asks(.join, in: room) {
            actions += ask(about: room, Joining(id: nil, since: nil, origin: .silent))
        }
        // What is told of a room that has gone meanwhile is no word on one that the client comes to anew.
        firstRoomReview = inquiries &+ 1
        return actions
    }

    /// Whether it waits for the backend's word to be joined at all.
    private func isAskedAbout(_ room: RoomName) -> Bool {
        guard case .joining(let joining) = rooms[room] else { return false }
        return joining.inquiry > 0
    }

    /// Joins what the backend has named.
    mutating func joinGiven() -> [Action] {
        (identity?.given?.joins ?? []).flatMap { invited(to: $0) }
    }

    // MARK: Rooms

    mutating func ask(about room: RoomName, _ joining: Joining) -> [Action] {
        let inquiry = inquire(.join(room))
        var joining = joining
        joining.inquiry = inquiry.number
        rooms[room] = .joining(joining)
        return [.ask(inquiry)]
    }

    private mutating func ruledOnRoom(_ room: RoomName, _ number: UInt32, _ ruling: Ruling) -> [Action] {
        guard isLive, let identity else { return [] }
        if case .joining(var joining) = rooms[room], joining.inquiry > 0 {
            guard joining.inquiry == number else { return [] }
            if joining.isReturn { return ruledOnReturn(room, joining, ruling) }
            rooms[room] = nil
            guard let refusal = ruling.refusal else {
                // The client may have another token by now.
                guard isAllowed(.join, in: room) else {
                    return refuse(joining.id, .forbidden, "the room may not be joined") + serveWaiting(for: room)
                }
                joining.inquiry = 0
                return enter(room, joining, identity)
            }
            return refuse(joining.id, refusal) + serveWaiting(for: room)
        }
        guard number >= firstRoomReview, let membership = rooms[room] else { return [] }
        switch ruling {
        case .allowed, .failed(isPassed: true): return []
        // A no ends a membership for good; that nobody answers ends a connection, which comes back.
        case .failed(isPassed: false): return close(.unavailable, Denial.unavailable.message)
        case .denied(let denial): return expel(from: room, membership, denial.request)
        }
    }

    /// What it says of a room that the session brought back.
    private mutating func ruledOnReturn(_ room: RoomName, _ asked: Joining, _ ruling: Ruling) -> [Action] {
        var joining = asked
        joining.inquiry = 0
        switch ruling {
        case .failed(isPassed: false): return close(.unavailable, Denial.unavailable.message)
        case .denied(let denial): return expel(from: room, .joining(joining), denial.request)
        case .allowed, .failed(isPassed: true): break
        }
        // The client may have another token by now.
        guard isAllowed(.join, in: room) else {
            return expel(from: room, .joining(joining), RequestError(.forbidden, "the room may not be joined"))
        }
        if case .resumed = joining.origin, !waitAgain(for: room) { return [] }
        guard case .silent = joining.origin else { return follow(room, joining) }
        if case .awaiting = resumption?.stage {
            rooms[room] = .awaiting
            return serveWaiting(for: room)
        }
        // It should have gone on before, and what came since then is lost.
        joining.origin = .late
        return follow(room, joining)
    }

    /// The backend has taken its word back.
    private mutating func expel(from room: RoomName, _ membership: Membership, _ refusal: RequestError) -> [Action] {
        let left = [Action.send(.left(id: nil, room: room))]
        guard case .joining(let joining) = membership else { return drop(room) + left + serveWaiting(for: room) }
        switch joining.origin {
        case .resumed: return gathered(room, .failure(RequestError(.forbidden, "the room may not be joined")))
        case .fresh, .again: return drop(room) + refuse(joining.id, refusal) + serveWaiting(for: room)
        case .invited: return drop(room) + serveWaiting(for: room)
        case .silent, .late: return drop(room) + left + serveWaiting(for: room)
        }
    }

    // MARK: Messages

    mutating func ask(about message: MessageCommand, _ request: ClientRequest) -> [Action] {
        let bytes = held.reduce(message.payload.count) { $0 + $1.message.payload.count }
        guard held.count < settings.limits.maxWaitingFrames, bytes <= settings.limits.maxWaitingBytes else {
            return refuse(request.id, .rateLimited, "too many messages wait for the backend's word")
        }
        let inquiry = inquire(.publish(message.room, payload: message.payload))
        held.append(HeldMessage(number: inquiry.number, id: request.id, message: message))
        return [.ask(inquiry)]
    }

    /// Messages leave in the order they came, whatever the order of the answers.
    private mutating func ruledOnMessage(_ number: UInt32, _ ruling: Ruling) -> [Action] {
        guard let index = held.firstIndex(where: { $0.number == number }) else { return [] }
        let room = held[index].message.room
        held[index].ruling = ruling
        var actions: [Action] = []
        while let first = held.firstIndex(where: { $0.message.room == room }), let ruling = held[first].ruling {
            let message = held.remove(at: first)
            actions += release(message, ruling)
        }
        guard !held.contains(where: { $0.message.room == room }) else { return actions }
        return actions + serveWaiting(for: room)
    }

    private func release(_ held: HeldMessage, _ ruling: Ruling) -> [Action] {
        if let refusal = ruling.refusal { return refuse(held.id, refusal) }
        guard isMember(of: held.message.room) else { return refuse(held.id, .notMember, "join the room first") }
        guard isAllowed(.publish, in: held.message.room) else { return refuseMessage(held.id) }
        return send(held.message, id: held.id)
    }
}

extension Ruling {
    /// What a request is answered that is not let pass; nil where it is.
    fileprivate var refusal: RequestError? {
        switch self {
        case .allowed, .failed(isPassed: true): nil
        case .denied(let denial): denial.request
        case .failed(isPassed: false): Denial.unavailable
        }
    }
}

extension Identity {
    /// The same with the backend's word; nil where that is of somebody else.
    fileprivate func given(_ grant: Grant) -> Identity? {
        guard grant.userId == nil || grant.userId == userId else { return nil }
        var identity = self
        identity.given = Given(grant)
        return identity
    }
}

extension Grant {
    /// Of a client whom the backend alone knows; nil where it names nobody.
    fileprivate var identity: Identity? { userId.flatMap { Identity(userId: $0).given(self) } }
}
