/// Guests: clients that nobody knows, where those are let in. They have no user and no session; what they may is what the
/// rules of rooms say of guests, and what they have joined they join again after a break.
extension SessionMachine {
    /// Why a room that has settings is not for guests: nobody is on a roster whom bans, mutes and roles could bind.
    static let governed = "the room has settings: no guest enters it"

    /// Whether it is one.
    package var isGuest: Bool {
        switch visiting {
        case .newcomer, .guest: true
        case .not, .visit, .claimant: false
        }
    }

    /// No guest, nor what one becomes that shows a token.
    mutating func forgetGuest() {
        switch visiting {
        case .newcomer, .guest, .claimant: visiting = .not
        case .not, .visit: break
        }
    }

    // MARK: The way in

    /// - Parameter session: which it goes on with should it show a token.
    mutating func openAsGuest(now: MonotonicTime, session: String? = nil) -> [Action] {
        visiting = .newcomer(session: session)
        isRegistered = true
        everyone = .joining(Joining(id: nil, since: nil, origin: .silent))
        // The registry need not answer: it is told of the guest once it can be.
        phase = .entering(
            Opening(holdsFrames: true, session: nil),
            Entering(registration: nil, everyoneDue: now + SessionMachine.everyonePatience))
        return [.admitGuest, .follow(.everyone, since: nil)]
    }

    /// - Parameter hasEveryone: whether `*` is there; else a gap tells where it stands as soon as that is known.
    mutating func greet(hasEveryone: Bool) -> [Action] {
        phase = .live
        everyone = hasEveryone ? .joined : .joining(Joining(id: nil, since: nil, origin: .late))
        let entry: [Action] = hasEveryone ? [.enter(.everyone, .now)] : []
        return [.greetGuest] + entry + waiting.takeAll().flatMap { handle($0) }
    }

    /// A guest that has asked for nothing else shows a token: it goes on as if it had come with it. Nil where the request is
    /// something else, or comes too late for that. A ping asks for nothing, and waits for no welcome.
    mutating func claim(_ request: ClientRequest, now: MonotonicTime) -> [Action]? {
        guard case .newcomer(let session) = visiting else { return nil }
        if case .ping = request.command { return [.send(.pong(id: request.id))] }
        guard case .auth(let token) = request.command, settings.takesTokens, waiting.isEmpty else { return nil }
        visiting = .claimant
        openedAt = now
        everyone = nil
        let opening = Opening(holdsFrames: true, session: session)
        return [.endGuest, .leave(.everyone)] + show(token, opening, id: request.id)
    }

    // MARK: Requests

    mutating func serveGuest(_ request: ClientRequest) -> [Action] {
        if case .ping = request.command { return [.send(.pong(id: request.id))] }
        visiting = .guest
        switch request.command {
        case .ping: return []
        case .auth:
            guard settings.takesTokens else { return startRefresh("", id: request.id) }
            let text = "a guest that has asked for something stays one: connect anew with the token"
            return refuse(request.id, .forbidden, text)
        case .join(let room, let since): return join(room, since, request)
        case .resume(let since): return resume(since, request)
        case .leave(let room): return leave(room, request)
        case .history(let room, let range): return readHistory(of: room, range, request)
        case .message, .members, .watch, .unwatch, .signal, .presence, .state, .turn, .order, .redact, .subscribe,
            .signIn:
            return refuse(request.id, .forbidden, "guests may join rooms and read history, and nothing else")
        }
    }

    mutating func joinAsGuest(_ room: RoomName, _ since: ClientPosition?, id: RequestID?) -> [Action] {
        guard isAllowed(.join, in: room), !settings.rules.asks(.join, in: room) else {
            return refuse(id, .forbidden, "the room is not open to guests")
        }
        guard rooms.count < settings.limits.maxRooms else { return refuse(id, tooManyRooms) }
        return follow(room, Joining(id: id, since: since, origin: .fresh))
    }
}
