/// From the handshake to `welcome`, and fresh tokens afterwards.
extension SessionMachine {
    /// The first input: the handshake is done.
    ///
    /// - Parameters:
    ///   - session: the earlier session that the client wants to go on with, as it named it.
    ///   - isTelling: whether the backend is told something else that may say whose it is, such as a cookie.
    package mutating func opened(
        with credentials: Credentials, session: String? = nil, isTelling: Bool = false
    ) -> [Action] {
        switch credentials {
        case .none where settings.asksBackend:
            var opening = Opening(holdsFrames: false, session: session)
            opening.mayAskWithoutToken = true
            phase = .waitingForToken(opening)
            return isTelling || !settings.takesTokens ? askWithoutToken(opening) : []
        case .none where settings.takesGuests && session == nil:
            return openAsGuest(now: openedAt)
        case .none:
            phase = .waitingForToken(Opening(holdsFrames: false, session: session))
            return settings.takesTokens ? [] : close(.unauthorized, "userId is missing")
        case .token(let token):
            return show(token, Opening(holdsFrames: true, session: session))
        case .identity(let identity):
            return decide(on: identity, Opening(holdsFrames: true, session: session))
        case .refused(let text):
            return close(.unauthorized, text)
        case .visitor:
            return openVisit()
        }
    }

    /// The token is good.
    mutating func verified(_ identity: Identity) -> [Action] {
        switch phase {
        case .verifying(let opening):
            return decide(on: identity, opening)
        case .live:
            guard case .verifying(let id, let token) = refresh else { return [] }
            guard identity.userId == self.identity?.userId else {
                self.refresh = nil
                return refuse(id, .forbidden, "the token is another user's")
            }
            self.refresh = .confirming(id: id, identity, token: token)
            return [.confirm(identity)]
        case .waitingForToken, .deciding, .registering, .entering, .closed:
            return []
        }
    }

    /// The token is not good, or could not be judged.
    mutating func refused(_ error: TokenError) -> [Action] {
        switch phase {
        case .verifying:
            return close(error.isTemporary ? .unavailable : .unauthorized, error.message)
        case .live:
            guard let refresh else { return [] }
            self.refresh = nil
            return refuse(refresh.id, error.isTemporary ? .unavailable : .unauthorized, error.message)
        case .waitingForToken, .deciding, .registering, .entering, .closed:
            return []
        }
    }

    // MARK: Registry

    mutating func register(_ identity: Identity, _ opening: Opening) -> [Action] {
        if settings.rules.fencesApps, AppFence.isForeign(identity.userId.string) {
            return close(.unauthorized, "userId: begins with a colon, as those of apps do")
        }
        self.identity = identity
        forgetGuest()
        phase = .registering(opening)
        isRegistered = true
        return [.register(resuming: opening.session)]
    }

    /// Asks again, where the connection still waits to be registered.
    package mutating func retryRegistration() -> [Action] {
        guard case .registering(let opening) = phase, !isRegistered else { return [] }
        isRegistered = true
        return [.register(resuming: opening.session)]
    }

    /// The registry knows the connection.
    mutating func registered(_ registration: Registration) -> [Action] {
        guard case .registering(let opening) = phase, let identity else { return [] }
        phase = .entering(opening, Entering(registration: registration))
        let asked = Membership.joining(Joining(id: nil, since: nil, origin: .silent))
        (everyone, inbox) = (asked, asked)
        return [.follow(.everyone, since: nil), .follow(RoomName(inboxOf: identity.userId), since: nil)]
    }

    /// The registry has not taken the connection in, and knows nothing of it.
    mutating func registrationFailed(_ error: RegistrationError) -> [Action] {
        guard case .registering = phase else { return [] }
        isRegistered = false
        return switch error {
        case .tooManyConnections: close(.tooManyRequests, "too many connections")
        case .banned: close(.forbidden, "banned")
        case .tokenVoid: close(.unauthorized, "the token is void")
        case .backend: [.registerLater]
        }
    }

    // MARK: Streams

    /// The stream of a room is there.
    mutating func streamReady(_ room: RoomName, _ start: StreamStart, now: MonotonicTime) -> [Action] {
        switch phase {
        case .entering(let opening, var entering):
            guard membership(of: room) != nil else { return [] }
            guard let registration = entering.registration else { return greet(hasEveryone: true) }
            setMembership(of: room, .awaiting)
            guard case .awaiting = inbox else { return [] }
            if case .awaiting = everyone { return goLive(registration, now: now) }
            entering.everyoneDue = now + SessionMachine.everyonePatience
            phase = .entering(opening, entering)
            return []
        case .live:
            return joined(room, start)
        case .waitingForToken, .verifying, .deciding, .registering, .closed:
            return []
        }
    }

    /// The stream of a room could not be had; the asking for it is forgotten by then.
    mutating func streamFailed(_ room: RoomName, _ error: BackendError) -> [Action] {
        switch phase {
        case .entering: [.followLater(room)]
        case .live: notJoined(room, error.request)
        case .waitingForToken, .verifying, .deciding, .registering, .closed: []
        }
    }

    /// Asks again for a stream that could not be had, where it is still wanted.
    package func retry(_ room: RoomName) -> [Action] {
        guard case .joining(let joining) = membership(of: room) else { return [] }
        return [.follow(room, since: joining.since)]
    }

    /// How long an inbox that is there waits for `*`, and a guest, who has none.
    package static let everyonePatience = Duration.seconds(2)

    /// - Parameter everyone: whether `*` is there as well; else `welcome` leaves its position out, and a gap tells it as soon
    ///   as it is known.
    mutating func goLive(
        _ registration: Registration, everyone hasEveryone: Bool = true, now: MonotonicTime
    ) -> [Action] {
        guard let identity, case .entering(let opening, _) = phase else { return [] }
        phase = .live
        let welcome = Action.welcome(
            identity.userId, session: registration.session, resumed: registration.resumed != nil,
            timestamp: registration.timestamp, id: opening.id)
        var actions: [Action] = []
        actions.reserveCapacity(4)
        actions.append(welcome)
        if let resumed = registration.resumed {
            for room in resumed.rooms { rooms[room] = .awaiting }
            memberSince = resumed.since
            // What is not there yet is asked for again with all others.
            (everyone, inbox) = (.awaiting, .awaiting)
            resumption = Resumption(
                forbidden: resumed.forbidden, stage: .awaiting(until: now + settings.limits.resumeTimeout))
            actions += askAboutReturns()
        } else {
            inbox = .joined
            everyone = hasEveryone ? .joined : .joining(Joining(id: nil, since: nil, origin: .late))
            if hasEveryone { actions.append(.enter(.everyone, .now)) }
            actions.append(.enter(RoomName(inboxOf: identity.userId), .now))
        }
        actions += joinGiven()
        for request in waiting.takeAll() { actions += handle(request) }
        return actions
    }

    // MARK: Tokens of a living session

    mutating func startRefresh(_ token: String, id: RequestID?) -> [Action] {
        guard settings.takesTokens else { return refuse(id, .badRequest, "this gateway takes no tokens") }
        guard refresh == nil else { return refuse(id, .conflict, "another token is being checked") }
        if !settings.checksTokens, let identity {
            return decide(anewOn: Identity(userId: identity.userId), token: token, id: id)
        }
        refresh = .verifying(id: id, token: token)
        return [.verify(token: token)]
    }

    /// Whether a fresh token of this user still counts. While Redis is away one does that is no older than the present one:
    /// what made tokens void ended connections too, so one that lives vouches for those, and is not to end for want of Redis.
    mutating func confirmed(_ admission: Clearance) -> [Action] {
        guard case .live = phase, case .confirming(let id, let fresh, let token) = refresh else { return [] }
        refresh = nil
        return switch admission {
        case .unknown where (fresh.issuedAt ?? 0) < (identity?.issuedAt ?? 0):
            refuse(id, .unavailable, "whether a token from before the present one still counts cannot be told just now")
        case .admitted, .unknown:
            settings.asksBackend ? decide(anewOn: fresh, token: token, id: id) : renew(fresh, id: id)
        case .banned: close(.forbidden, "banned")
        case .tokenVoid: close(.unauthorized, "the token is void")
        }
    }

    /// A fresh token is good: it takes the old one's place.
    mutating func renew(_ fresh: Identity, id: RequestID?) -> [Action] {
        [.send(.authenticated(id: id, expires: fresh.expiresMilliseconds))] + goOn(as: fresh)
    }

    /// What the client may do is another from here on: it is out of rooms that it may not be in any more.
    mutating func goOn(as fresh: Identity) -> [Action] {
        identity = fresh
        var actions: [Action] = []
        for (room, membership) in rooms.sorted(by: { $0.key.string < $1.key.string }) {
            switch membership {
            case .joining: continue
            case .joined, .awaiting:
                guard !isAllowed(.join, in: room) else { continue }
                actions += drop(room) + [.send(.left(id: nil, room: room))]
            }
        }
        return actions
    }
}
