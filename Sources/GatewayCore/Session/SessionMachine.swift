/// What one client's connection may do next: who it speaks for, which rooms it is in, what it has asked and not been told.
///
/// Each input answers with what is to be done, in this order. It knows no channel and no clock.
package struct SessionMachine: Sendable {
    /// What a client showed at the handshake.
    package enum Credentials: Sendable {
        /// Nothing: the first frame has to.
        case none
        case token(String)
        /// Whoever it says it is, where nobody has to prove it.
        case identity(Identity)
        /// Something that cannot be right; the text is told to the client.
        case refused(String)
    }

    package enum Action: Sendable {
        case send(ServerEvent)
        /// Send `welcome`: the session is live.
        case welcome(UserID, everyone: Position, timestamp: Int64)
        /// Check a token; answered by `verified` or `refused`.
        case verify(token: String)
        /// Follow a room's stream for this connection; answered by `streamReady` or `streamFailed`.
        case follow(RoomName)
        /// The same, but after a little while.
        case followLater(RoomName)
        /// From here on the connection gets what comes in this room, what it missed in it first.
        case enter(RoomName)
        /// The connection is no listener of this room any more.
        case leave(RoomName)
        /// Answer `joined` with where the room stands now.
        case tellPosition(id: RequestID?, room: RoomName)
        /// Answered by `publishAnswered`.
        case publish(Publication, id: RequestID?)
        /// Answered by `historyAnswered`.
        case readHistory(room: RoomName, range: HistoryRange, id: RequestID?)
        /// The last action there is.
        case close(CloseReason, text: String)
    }

    private enum Phase: Sendable {
        case waitingForToken
        /// The token is being checked; `holdsFrames` where it came with the handshake.
        case verifying(holdsFrames: Bool)
        /// The stream of `*` is asked for.
        case entering(holdsFrames: Bool)
        case live
        case closed
    }

    enum Membership: Sendable {
        case joining(id: RequestID?)
        case joined
    }

    /// A fresh token that is being checked.
    private struct Refresh: Sendable {
        let id: RequestID?
    }

    let settings: SessionSettings
    private let openedAt: MonotonicTime
    private var phase = Phase.waitingForToken
    private var limiter: RateLimiter
    private var refresh: Refresh?
    private var malformedInARow = 0
    var histories = 0
    /// Nil until somebody has been let in.
    package internal(set) var identity: Identity?
    /// The rooms proper that were asked for, joined or not yet.
    var rooms: [RoomName: Membership] = [:]
    var waiting = WaitingRequests()

    package init(settings: SessionSettings, now: MonotonicTime) {
        self.settings = settings
        openedAt = now
        limiter = RateLimiter(now: now)
    }

    package var isLive: Bool {
        if case .live = phase { return true }
        return false
    }

    package var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    package func isMember(of room: RoomName) -> Bool {
        if case .joined = rooms[room] { return true }
        return false
    }

    // MARK: Opening

    /// The first input: the handshake is done.
    package mutating func opened(with credentials: Credentials) -> [Action] {
        switch credentials {
        case .none:
            return settings.takesTokens ? [] : close(.unauthorized, "userId is missing")
        case .token(let token):
            phase = .verifying(holdsFrames: true)
            return [.verify(token: token)]
        case .identity(let identity):
            self.identity = identity
            phase = .entering(holdsFrames: true)
            return [.follow(.everyone)]
        case .refused(let text):
            return close(.unauthorized, text)
        }
    }

    /// The token is good.
    package mutating func verified(_ identity: Identity) -> [Action] {
        switch phase {
        case .verifying(let holdsFrames):
            self.identity = identity
            phase = .entering(holdsFrames: holdsFrames)
            return [.follow(.everyone)]
        case .live:
            guard let refresh else { return [] }
            self.refresh = nil
            return renew(identity, id: refresh.id)
        case .waitingForToken, .entering, .closed:
            return []
        }
    }

    /// The token is not good.
    package mutating func refused(_ error: TokenError) -> [Action] {
        switch phase {
        case .verifying:
            return close(.unauthorized, error.message)
        case .live:
            guard let refresh else { return [] }
            self.refresh = nil
            return [.send(.error(id: refresh.id, error: RequestError(.unauthorized, error.message)))]
        case .waitingForToken, .entering, .closed:
            return []
        }
    }

    // MARK: Frames

    package mutating func received(_ request: ClientRequest, now: MonotonicTime) -> [Action] {
        guard !isClosed else { return [] }
        malformedInARow = 0
        return count(id: request.id, now: now) ?? handle(request)
    }

    package mutating func receivedMalformed(_ malformed: MalformedRequest, now: MonotonicTime) -> [Action] {
        guard !isClosed else { return [] }
        malformedInARow += 1
        guard malformedInARow < settings.limits.maxMalformed else { return close(.malformed) }
        return count(id: malformed.id, now: now) ?? [.send(.error(id: malformed.id, error: malformed.error))]
    }

    /// A ping or pong frame: it counts as a frame like any other. `exhausted` is the caller's to close for.
    package mutating func receivedControlFrame(now: MonotonicTime) -> RateLimiter.Verdict {
        limiter.take(now: now, limit: settings.limits.rate)
    }

    /// Nil where the frame is within the client's rate.
    private mutating func count(id: RequestID?, now: MonotonicTime) -> [Action]? {
        switch limiter.take(now: now, limit: settings.limits.rate) {
        case .accepted: nil
        case .refused: [.send(.error(id: id, error: RequestError(.rateLimited, "too many frames; slow down")))]
        case .exhausted: close(.tooManyRequests)
        }
    }

    private mutating func handle(_ request: ClientRequest) -> [Action] {
        switch phase {
        case .waitingForToken:
            guard case .auth(let token) = request.command else { return answerStranger(request) }
            phase = .verifying(holdsFrames: false)
            return [.verify(token: token)]
        case .verifying(let holdsFrames), .entering(let holdsFrames):
            var mustWait = holdsFrames
            if case .auth = request.command { mustWait = true }
            guard mustWait else { return answerStranger(request) }
            return waiting.hold(request, limits: settings.limits) ? [] : close(.tooManyRequests)
        case .live:
            return serve(request)
        case .closed:
            return []
        }
    }

    private func answerStranger(_ request: ClientRequest) -> [Action] {
        if case .ping = request.command { return [.send(.pong(id: request.id))] }
        return [.send(.error(id: request.id, error: RequestError(.unauthorized, "authenticate first")))]
    }

    // MARK: Streams

    /// The stream of a room is there: `position` is where the connection stands in it.
    package mutating func streamReady(_ room: RoomName, at position: Position, timestamp: Int64) -> [Action] {
        switch phase {
        case .entering:
            guard room.isEveryone, let identity else { return [] }
            phase = .live
            let welcome = Action.welcome(identity.userId, everyone: position, timestamp: timestamp)
            return [welcome, .enter(room)] + waiting.takeAll().flatMap { handle($0) }
        case .live:
            return joined(room, at: position)
        case .waitingForToken, .verifying, .closed:
            return []
        }
    }

    /// The stream of a room could not be had; the asking for it is forgotten by then.
    package mutating func streamFailed(_ room: RoomName, _ error: BackendError) -> [Action] {
        switch phase {
        case .entering:
            return room.isEveryone ? [.followLater(room)] : []
        case .live:
            return notJoined(room, error.request)
        case .waitingForToken, .verifying, .closed:
            return []
        }
    }

    // MARK: Time

    /// When `hitDeadline` is to be called at the latest; nil where nothing ends by itself.
    package func nextDeadline(now: MonotonicTime, wallMilliseconds: Int64) -> MonotonicTime? {
        switch phase {
        case .waitingForToken, .verifying, .entering: openedAt + settings.limits.authTimeout
        case .live: expiry.map { now + .milliseconds(max(0, $0 - wallMilliseconds)) }
        case .closed: nil
        }
    }

    /// Time has passed; `wallMilliseconds` counts from 1970, since that is how tokens tell when they end.
    package mutating func hitDeadline(now: MonotonicTime, wallMilliseconds: Int64) -> [Action] {
        switch phase {
        case .waitingForToken:
            now - openedAt >= settings.limits.authTimeout ? close(.unauthorized, "no token came") : []
        case .verifying, .entering:
            now - openedAt >= settings.limits.authTimeout ? close(.unavailable) : []
        case .live:
            if let expiry, expiry <= wallMilliseconds { close(.unauthorized, "the token has expired") } else { [] }
        case .closed:
            []
        }
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
        switch phase {
        case .live: [.send(.reconnect(afterMilliseconds: afterMilliseconds))]
        case .waitingForToken, .verifying, .entering: close(.goingAway)
        case .closed: []
        }
    }

    /// The connection has ended or is about to: the rooms in which it was, or asked to be, a listener.
    package mutating func closed() -> [RoomName] {
        phase = .closed
        refresh = nil
        _ = waiting.takeAll()
        let left = Array(rooms.keys) + (identity == nil ? [] : [.everyone])
        rooms = [:]
        identity = nil
        return left
    }

    private mutating func close(_ reason: CloseReason, _ text: String? = nil) -> [Action] {
        phase = .closed
        return [.close(reason, text: text ?? reason.text)]
    }

    // MARK: Tokens of a living session

    mutating func startRefresh(_ token: String, id: RequestID?) -> [Action] {
        guard settings.takesTokens else {
            return [.send(.error(id: id, error: RequestError(.badRequest, "this gateway takes no tokens")))]
        }
        guard refresh == nil else {
            return [.send(.error(id: id, error: RequestError(.conflict, "another token is being checked")))]
        }
        refresh = Refresh(id: id)
        return [.verify(token: token)]
    }
}
