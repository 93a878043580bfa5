/// Deadlines, and the ways in which a session ends.
extension SessionMachine {
    /// The way in which a connection ends.
    package enum End: Hashable, Sendable {
        /// By the client's close frame.
        case byClient(code: UInt16?)
        case byGateway(CloseReason)
        /// Without a word.
        case lost
    }

    /// The remains of a connection, for others to take away.
    package struct Remains: Sendable {
        /// Where it was, or asked to be, a listener.
        package var rooms: [RoomName]
        package var watched: [UserID]
        /// What the registry is to be told; nil where it knows nothing of the connection.
        package var departure: Departure?
    }

    // MARK: Time

    /// When `hitDeadline` is to be called at the latest; nil where nothing ends by itself.
    package func nextDeadline(now: MonotonicTime, wallMilliseconds: Int64) -> MonotonicTime? {
        switch phase {
        case .waitingForToken(let opening):
            openedAt + min(settings.limits.authTimeout, tokenPatience(opening) ?? settings.limits.authTimeout)
        case .verifying, .deciding: openedAt + settings.limits.authTimeout
        case .registering:
            SessionMachine.earlier(openedAt + settings.limits.authTimeout, end(now: now, wallMilliseconds))
        case .entering(_, let entering):
            SessionMachine.earlier(
                SessionMachine.earlier(openedAt + settings.limits.authTimeout, entering.everyoneDue),
                end(now: now, wallMilliseconds))
        case .live:
            SessionMachine.earlier(
                SessionMachine.earlier(end(now: now, wallMilliseconds), resumption?.deadline), goesAt)
        case .closed: nil
        }
    }

    private static func earlier(_ one: MonotonicTime?, _ other: MonotonicTime?) -> MonotonicTime? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// Time has passed; `wallMilliseconds` counts from 1970, since that is how tokens tell when they end.
    package mutating func hitDeadline(now: MonotonicTime, wallMilliseconds: Int64) -> [Action] {
        switch phase {
        case .waitingForToken(let opening):
            if now - openedAt >= settings.limits.authTimeout { return close(.unauthorized, "no token came") }
            guard let patience = tokenPatience(opening), now - openedAt >= patience else { return [] }
            return opening.denial.map { close($0.reason, $0.message) } ?? askWithoutToken(opening)
        case .verifying, .deciding, .registering, .entering:
            guard now - openedAt < settings.limits.authTimeout else { return close(.unavailable) }
            if let actions = closeAtEnd(now: now, wallMilliseconds) { return actions }
            guard case .entering(_, let entering) = phase, let due = entering.everyoneDue, due <= now else { return [] }
            guard let registration = entering.registration else { return greet(hasEveryone: false) }
            return goLive(registration, everyone: false, now: now)
        case .live:
            if let actions = closeAtEnd(now: now, wallMilliseconds) { return actions }
            if let goesAt, goesAt <= now { return close(.goingAway) }
            if let release = resumption?.deadline, release <= now { return releaseAwaiting() }
            return []
        case .closed:
            return []
        }
    }

    /// When the token ends, or what the backend has allowed, if it does.
    private func end(now: MonotonicTime, _ wallMilliseconds: Int64) -> MonotonicTime? {
        SessionMachine.earlier(
            expiry.map { now + .milliseconds(max(0, $0 - wallMilliseconds)) }, identity?.given?.endsAt)
    }

    /// Nil before that; a connection that still waits to be let in ends by it too.
    private mutating func closeAtEnd(now: MonotonicTime, _ wallMilliseconds: Int64) -> [Action]? {
        if let expiry, expiry <= wallMilliseconds { return close(.unauthorized, "the token has expired") }
        guard let end = identity?.given?.endsAt, end <= now else { return nil }
        return close(.unauthorized, "what the backend has allowed is over")
    }

    /// Milliseconds since 1970 from which the token is good no longer.
    private var expiry: Int64? {
        guard let expires = identity?.expiresMilliseconds else { return nil }
        let (end, overflow) = expires.addingReportingOverflow(settings.limits.leeway.milliseconds)
        return overflow ? nil : end
    }

    // MARK: Closing

    /// The node wants its clients to go elsewhere; only those that have been let in know what that means.
    package mutating func drain(afterMilliseconds: Int) -> [Action] {
        isSentAway = true
        return switch phase {
        case .live: [.send(.reconnect(afterMilliseconds: afterMilliseconds))]
        case .waitingForToken, .verifying, .deciding, .registering, .entering: close(.goingAway)
        case .closed: []
        }
    }

    /// How many rooms it is in, or about to be.
    package var roomCount: Int { rooms.count }

    /// The connection has ended or is about to; all but the first call answer with nothing.
    package mutating func closed(_ end: End) -> Remains {
        phase = .closed
        refresh = nil
        resumption = nil
        _ = waiting.takeAll()
        held = []
        var left = rooms.keys
        if everyone != nil { left.append(.everyone) }
        if let identity, inbox != nil { left.append(RoomName(inboxOf: identity.userId)) }
        let remains = Remains(
            rooms: left, watched: Array(watched), departure: isRegistered ? departure(end) : nil)
        (everyone, inbox, rooms, watched) = (nil, nil, RoomTable(), [])
        isRegistered = false
        identity = nil
        forgetGuest()
        return remains
    }

    /// Farewells take effect at once; whoever is sent away comes back soon, whatever its close says.
    private func departure(_ end: End) -> Departure {
        switch end {
        case .byGateway(.unauthorized): .farewell(.closed)
        case .byGateway(.forbidden): .farewell(.kicked)
        case .byGateway(.replaced): .farewell(.replaced)
        case .byGateway(.goingAway): .abrupt(.drained)
        case .byClient(CloseReason.normal.code) where !isSentAway || isVisitor: .farewell(.closed)
        case .byGateway, .byClient, .lost: .abrupt(isSentAway ? .drained : .lost)
        }
    }

    mutating func close(_ reason: CloseReason, _ text: String? = nil) -> [Action] {
        phase = .closed
        return [.close(reason, text: text ?? reason.text)]
    }
}
