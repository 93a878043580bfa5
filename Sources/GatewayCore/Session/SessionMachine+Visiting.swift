/// Visitors: clients that an app has let in. They have no session and no `*`, speak for a user only once the app's backend has
/// named one, and may be another in each room.
extension SessionMachine {
    /// What there is of a visitor beside a session's.
    struct Visit: Sendable {
        /// The rooms that were asked for, entered or not yet.
        var subscriptions = RoomTable<Subscription>()
        /// The registry is being told whose the connection is.
        var naming: Naming?
        /// Who has signed in; nil also of a user that only a room has named.
        var user: Identity?
        var events: RateLimiter
        /// Rooms whose rosters are to be read once others have been.
        var unread: [(answer: Joined, id: RequestID?)] = []
        /// When it is to go elsewhere.
        var goesAt: MonotonicTime?
    }

    /// Apart, since most connections have none.
    indirect enum Visiting: Sendable {
        case not
        case visit(Visit)
        /// A guest who has asked for nothing yet, and may still show a token; with the session that it has named.
        case newcomer(session: String?)
        case guest
        /// One that has shown a token, which is being judged.
        case claimant
    }

    /// Why a visitor's user is registered.
    enum Naming: Sendable {
        /// By itself: it is told, and watches these.
        case signIn(RequestID?, watching: [UserID])
        /// A room that it wants to be shown in names it.
        case subscription
    }

    /// Whether it is an app's client.
    package var isVisitor: Bool {
        if case .visit = visiting { return true }
        return false
    }

    /// Who the client is in a room: for a visitor it may be another in each.
    package func user(in room: RoomName) -> UserID? {
        guard case .visit(let visit) = visiting else { return identity?.userId }
        return visit.subscriptions[room]?.member?.userId ?? identity?.userId
    }

    var goesAt: MonotonicTime? { visit?.goesAt }

    private var visit: Visit? {
        get {
            guard case .visit(let visit) = visiting else { return nil }
            return visit
        }
        set {
            if let newValue { visiting = .visit(newValue) }
        }
    }

    mutating func openVisit() -> [Action] {
        visiting = .visit(Visit(events: RateLimiter(now: openedAt)))
        phase = .live
        isRegistered = true
        return [.admitVisitor]
    }

    /// The node wants it to go elsewhere; a visitor knows no other word for that than being closed.
    package mutating func goElsewhere(at time: MonotonicTime) {
        guard isLive else { return }
        isSentAway = true
        visit?.goesAt = time
    }

    // MARK: Users

    mutating func signIn(_ identity: Identity, watching users: [UserID], _ request: ClientRequest) -> [Action] {
        guard let visit else { return [] }
        guard visit.naming == nil else { return hold(request) }
        guard let known = self.identity else {
            self.visit?.user = identity
            return name(identity, .signIn(request.id, watching: users))
        }
        guard known.userId == identity.userId else {
            return refuse(nil, .forbidden, "the connection is another user's")
        }
        self.visit?.user = identity
        return signedIn(request.id, watching: users)
    }

    private mutating func signedIn(_ id: RequestID?, watching users: [UserID]) -> [Action] {
        let answer = Action.send(.authenticated(id: id, expires: nil))
        guard !users.isEmpty else { return [answer] }
        return [answer] + watch(users, ClientRequest(command: .watch(users: users)))
    }

    private mutating func name(_ identity: Identity, _ naming: Naming) -> [Action] {
        self.identity = identity
        visit?.naming = naming
        return [.nameVisitor]
    }

    /// The registry knows whose the connection is, or does not take it: of one that is not taken nothing is left there.
    mutating func named(_ result: Result<Registration, RegistrationError>) -> [Action] {
        guard isLive, let naming = visit?.naming else { return [] }
        switch result {
        case .success:
            visit?.naming = nil
            let waited = waiting.takeAll()
            guard case .signIn(let id, let users) = naming else { return waited.flatMap { handle($0) } }
            return signedIn(id, watching: users) + waited.flatMap { handle($0) }
        case .failure(.tooManyConnections): return close(.tooManyRequests, "too many connections")
        case .failure(.banned): return close(.forbidden, "banned")
        case .failure(.tokenVoid): return close(.unauthorized, "the user has to sign in anew")
        case .failure(.backend): return close(.unavailable)
        }
    }

    // MARK: Rooms

    mutating func subscribe(_ subscription: Subscription, _ request: ClientRequest) -> [Action] {
        guard let visit else { return refuse(request.id, .badRequest, "this connection has a session") }
        let room = subscription.room
        switch membership(of: room) {
        case .joining: return hold(request)
        case .joined, .awaiting: return refuse(nil, .conflict, "already subscribed")
        case nil: break
        }
        if visit.naming != nil, room.isInbox || subscription.isShown { return hold(request) }
        var subscription = subscription
        if subscription.isShown, subscription.member == nil {
            guard let user = visit.user else {
                return refuse(request.id, .badRequest, "channel_data: missing, and nobody has signed in")
            }
            subscription.member = user
        }
        if let refusal = refusal(of: subscription) { return refuse(request.id, refusal) }
        if let member = subscription.member, identity == nil {
            guard waiting.hold(request, limits: settings.limits) else {
                return refuse(request.id, .rateLimited, "too many requests wait")
            }
            return name(member, .subscription)
        }
        self.visit?.subscriptions[room] = subscription
        let joining = Joining(id: request.id, since: subscription.tellsLast ? .last(1) : nil, origin: .fresh)
        guard let member = subscription.member else { return follow(room, joining) }
        return [.enrollVisitor(enroll(in: room, joining), member)]
    }

    /// Nil where it may be in the room.
    private func refusal(of subscription: Subscription) -> RequestError? {
        let room = subscription.room
        if room.isInbox {
            return isOwnInbox(room) ? nil : RequestError(.unauthorized, "sign in as this user first")
        }
        if !subscription.isSigned {
            guard settings.rules.allowsVisitors(.join, in: room), !settings.rules.asks(.join, in: room) else {
                return RequestError(.forbidden, "this channel is not open to everybody")
            }
        }
        if subscription.member != nil, settings.rules.presence(of: room) == .off {
            return RequestError(.forbidden, "this channel keeps no presence")
        }
        guard rooms.count < settings.limits.maxRooms else {
            return RequestError(.forbidden, "no more than \(settings.limits.maxRooms) channels")
        }
        return nil
    }

    /// The stream of a room is there: it is entered, and where others are shown there, once it is known who they are.
    mutating func subscribed(_ room: RoomName, _ joining: Joining, _ start: StreamStart) -> [Action] {
        guard let subscription = visit?.subscriptions[room] else { return [] }
        var answer = Joined(room: room, position: start.position, recovered: true, roster: start.roster)
        if subscription.tellsLast { answer.last = LastMessage(of: start) }
        // Nobody is on a roster here whom settings could bind: bans, mutes and roles.
        if subscription.member == nil, !room.isInbox, start.settings != nil {
            return drop(room)
                + refuse(joining.id, .forbidden, "the room has settings: only a presence channel enters it")
                + serveWaiting(for: room)
        }
        let missed = missed(room, answer)
        guard subscription.member != nil else {
            setMembership(of: room, .joined)
            // Told before the client is answered, so that whoever it tells finds the room occupied.
            return attend(room) + missed + [.send(.joined(id: joining.id, answer)), .enter(room, .now)]
                + serveWaiting(for: room)
        }
        guard start.reading?.presence != false else {
            return drop(room) + refuse(joining.id, .forbidden, "the role may not know who is here")
                + serveWaiting(for: room)
        }
        // Whoever is put out and comes again meanwhile is not answered with what was read for the first time.
        var reading = joining
        reading.isCut = true
        setMembership(of: room, .joining(reading))
        guard reads < settings.limits.maxReads else {
            visit?.unread.append((answer, joining.id))
            return missed + [.enter(room, .kept)]
        }
        reads += 1
        return missed + [.enter(room, .kept), .readRoster(answer, id: joining.id)]
    }

    /// Where it came for the last message and there is none: that is noted where somebody is to know it.
    private func missed(_ room: RoomName, _ answer: Joined) -> [Action] {
        guard case .absent = answer.last, settings.rules.notes(.roomMissed, in: room) else { return [] }
        return [.noteMiss(room)]
    }

    /// It is counted where there is a roster, on which it shows nobody.
    func attend(_ room: RoomName) -> [Action] {
        guard !room.isInbox, settings.rules.presence(of: room) == .full else { return [] }
        return [.attend(room)]
    }

    /// The next roster's turn, of those whose rooms still wait for it.
    private mutating func nextRoster() -> [Action] {
        reads -= 1
        while let next = visit?.unread.first {
            visit?.unread.removeFirst()
            guard case .joining(let joining) = rooms[next.answer.room], joining.isCut, joining.id == next.id else {
                continue
            }
            reads += 1
            return [.readRoster(next.answer, id: next.id)]
        }
        return []
    }

    /// It is known who is in a room.
    mutating func rosterRead(
        _ joined: Joined, id: RequestID?, _ result: Result<Int64, DirectoryError>
    ) -> [Action] {
        let room = joined.room
        guard isLive else { return [] }
        let next = nextRoster()
        guard case .joining(let joining) = rooms[room], joining.isCut, joining.id == id else { return next }
        switch result {
        case .success(let version):
            setMembership(of: room, .joined)
            return [.send(.joined(id: id, joined)), .release(joined, knows: version)] + serveWaiting(for: room) + next
        case .failure(let error):
            return drop(room) + refuse(id, error.request) + serveWaiting(for: room) + next
        }
    }

    mutating func unsubscribe(_ room: RoomName, _ request: ClientRequest) -> [Action] {
        switch membership(of: room) {
        case .joining: hold(request)
        case .joined, .awaiting: drop(room)
        // What is to enter it may wait for the user's name.
        case nil: waiting.holds(room) ? hold(request) : []
        }
    }

    /// Whether it is on the room's roster, so that what holds in the room binds it.
    package func isShown(in room: RoomName) -> Bool { visit?.subscriptions[room]?.member != nil }

    mutating func forgetSubscription(to room: RoomName) { visit?.subscriptions[room] = nil }

    // MARK: Events

    /// Nil where the request is no event, or not one too many.
    mutating func countEvent(_ request: ClientRequest, now: MonotonicTime) -> [Action]? {
        guard case .message = request.command, var limiter = visit?.events else { return nil }
        let limit = settings.limits.visitorEvents
        defer { visit?.events = limiter }
        switch limiter.spend(now: now, limit: limit) {
        case .accepted: return nil
        case .refused: return refuse(nil, tooMuch("too many events; slow down", limiter.wait(now: now, limit: limit)))
        case .exhausted: return close(.tooManyRequests)
        }
    }

    /// A message to the others in a room, from whoever the visitor is there.
    mutating func sendEvent(_ message: MessageCommand, _ request: ClientRequest) -> [Action] {
        let room = message.room
        switch rooms[room] {
        case .joining: return hold(request)
        case .joined, .awaiting: break
        case nil where waiting.holds(room): return hold(request)
        case nil: return refuse(nil, .notMember, "subscribe to the channel first")
        }
        guard let subscription = visit?.subscriptions[room], subscription.takesEvents,
            !settings.rules.asks(.publish, in: room)
        else { return refuse(nil, .forbidden, "events to this channel are not allowed") }
        var publication = Publication(
            room: room, userId: subscription.member?.userId ?? identity?.userId ?? .nobody, event: message.event,
            payload: message.payload)
        (publication.isVolatile, publication.isClientEvent) = (true, true)
        publication.heedsSettings = true
        return [.publish(publication, echo: false, id: nil)]
    }
}
