/// The state machine of one client's connection: who it speaks for, which rooms it is in, what it has asked and not
/// been told.
///
/// Each input answers with what is to be done, in this order. It knows no channel and no clock.
///
/// Not copyable, so that a question to the one in its connection is no copy with a dozen references to count.
package struct SessionMachine: ~Copyable, Sendable {
    /// The credentials that a client showed at the handshake.
    package enum Credentials: Sendable {
        /// Nothing: the first frame has to.
        case none
        case token(String)
        /// Whoever it says it is, where nobody has to prove it.
        case identity(Identity)
        /// Something that cannot be right; the text is told to the client.
        case refused(String)
        /// An app's key: the connection is let in without a user, and has no session.
        case visitor
    }

    /// An action that is to be done; where something comes back of it, that is an ``Answer``.
    package enum Action: Sendable {
        case send(ServerEvent)
        /// The same; `pageLeft` is called once the client's socket has taken it.
        case sendPage(ServerEvent)
        /// Register the connection; answered by `registered`.
        case register(resuming: String?)
        /// The same, but after a little while.
        case registerLater
        /// Send `welcome`: the session is live. The positions to tell are where the inbox and `*` stand now, as far as that is
        /// known.
        case welcome(UserID, session: String, resumed: Bool, timestamp: Int64, id: RequestID?)
        /// Check a token; answered by `verified`.
        case verify(token: String)
        /// Ask whether this token of the user still counts; answered by `confirmed`.
        case confirm(Identity)
        /// Put the connection on a room's roster; answered by `enrolled`.
        case enroll(Enrollment, info: [UInt8])
        /// Register a visitor, and greet it; there is no answer.
        case admitVisitor
        /// Make a guest known to the registry; there is no answer.
        case admitGuest
        /// Send a guest its `welcome`, with where `*` stands now, as far as that is known.
        case greetGuest
        /// It has shown a token: from here on it is no guest, and somebody else or nobody.
        case endGuest
        /// Register a visitor under its user; answered by `registered`.
        case nameVisitor
        /// Put a visitor on a room's roster as this one; answered by `enrolled`.
        case enrollVisitor(Enrollment, Identity)
        /// Read who is in a room that a visitor has just entered; answered by `rosterRead`.
        case readRoster(Joined, id: RequestID?)
        /// What was kept back of a room goes to the visitor, but for steps of its roster up to this version.
        case release(Joined, knows: Int64)
        /// Note a room without a roster in the session alone; there is no answer.
        case enrollQuietly(RoomName)
        /// Note that the connection is in a room and shows nobody there; there is no answer.
        case attend(RoomName)
        /// Note that the room's last message was asked for and there is none; there is no answer.
        case noteMiss(RoomName)
        /// Take the connection off a room's roster, and the room out of the session.
        case withdraw(RoomName)
        /// Follow a room's stream for this connection; answered by `streamReady` or `streamFailed`.
        case follow(RoomName, since: ClientPosition?)
        /// The same, but after a little while, and only if `retry` still wants it.
        case followLater(RoomName)
        /// From here on the connection gets what comes in this room, what it missed first.
        case enter(RoomName, Entry)
        /// The connection is no listener of this room any more.
        case leave(RoomName)
        /// Answer `joined` with where the room stands now.
        case tellPosition(id: RequestID?, room: RoomName)
        /// Answered by `published`; without `echo` this connection is left out.
        case publish(Publication, echo: Bool, id: RequestID?)
        /// Answered by `history`.
        case readHistory(room: RoomName, range: HistoryRange, id: RequestID?)
        /// Answered by `members`.
        case readMembers(room: RoomName, limit: Int, cursor: String?, id: RequestID?)
        /// Find out which of the users are in one of the rooms with this one; answered by `sharersFound` or
        /// `sharersUnknown`.
        case findSharers([UserID], rooms: [RoomName], id: RequestID?)
        /// Answered by `watching` or `watchFailed`; `held` is how many users the connection watches with these, `refused`
        /// whom it asked for besides and may not watch.
        case watch([UserID], held: Int, refused: [UserID], id: RequestID?)
        case unwatch([UserID])
        /// Answered by `signalled`.
        case signal(Signal, id: RequestID?)
        /// Answered by `shown`; none of the rooms is one without a roster.
        case show([UInt8], rooms: [RoomName], id: RequestID?)
        /// Answered by `shown` as well.
        case setState(UserState, id: RequestID?)
        /// Answer with credentials for TURN servers, or that there are none.
        case turn(UserID, id: RequestID?)
        /// Answered by `ordered`.
        case order(RoomOrder, id: RequestID?)
        /// Answered by `ordered` as well.
        case redact(RoomName, seq: Int, epoch: String?, id: RequestID?)
        /// Ask the backend; answered by `ruled`.
        case ask(Inquiry)
        /// From here on this is the token that the backend is shown.
        case keepToken(String)
        /// The last action there is.
        case close(CloseReason, text: String)
    }

    /// The point from which a connection gets what comes in a room.
    package enum Entry: Sendable {
        /// Where the room stands now.
        case now
        /// The same, but what comes is kept back until it is released.
        case kept
        case start(StreamStart)
    }

    enum Phase: Sendable {
        indirect case waitingForToken(Opening)
        /// The token is being checked.
        indirect case verifying(Opening)
        /// The backend is being asked whether the client is let in.
        indirect case deciding(Opening, Deciding)
        /// The registry has been asked to take the connection in.
        indirect case registering(Opening)
        /// The streams of the inbox and of `*` have been asked for.
        indirect case entering(Opening, Entering)
        case live
        case closed
    }

    /// The state that matters only until `welcome`.
    struct Opening: Sendable {
        /// Whether a token came with the handshake, so that all frames may wait for `welcome`.
        var holdsFrames: Bool
        /// The earlier session that the client named.
        var session: String?
        /// The one that was shown last.
        var token: String?
        /// Of the frame that showed it.
        var id: RequestID?
        /// Whether the backend is asked, though there is no token, once it is clear that none comes at once.
        var mayAskWithoutToken = false
        /// What the backend has said of a client without a token, which may show one all the same.
        var denial: Denial?
    }

    /// A connection that is registered and waits for its own streams.
    struct Entering: Sendable {
        /// Nil for a guest, who has no session.
        let registration: Registration?
        /// Until when it waits for `*` with all else there already; the part of a Cluster where `*` lies may be away.
        var everyoneDue: MonotonicTime?
    }

    /// A fresh token that is being checked.
    indirect enum Refresh: Sendable {
        case verifying(id: RequestID?, token: String)
        /// The token itself is good; whether it still counts has been asked.
        case confirming(id: RequestID?, Identity, token: String)
        /// It does; the backend has been asked, by the inquiry of this number.
        case deciding(id: RequestID?, Identity, token: String, number: UInt32)

        var id: RequestID? {
            switch self {
            case .verifying(let id, _), .confirming(let id, _, _), .deciding(let id, _, _, _): id
            }
        }
    }

    /// Replaced while the session lives, where the operator changes them.
    package var settings: SessionSettings
    /// From then on it is counted how long the client takes to be welcomed.
    var openedAt: MonotonicTime
    var phase: Phase
    // Small ones between those that leave gaps: there is one of it for each connection.
    var limiter: RateLimiter
    private var malformedInARow: Int32 = 0
    var joins: RateLimiter
    /// Pages of history and of members that are being read, or wait in the socket.
    var reads: Int16 = 0
    /// Questions under way about who is in a room with this user.
    var watchChecks: Int16 = 0
    /// Questions to the backend so far.
    var inquiries: UInt32 = 0
    /// Questions to the registry so far whether it takes the connection into a room.
    var enrollments: UInt32 = 0
    /// The latest of those by which all that it has said is asked for again; 0 for none.
    var lastReview: UInt32 = 0
    /// The first of those by which rooms were asked for again last.
    var firstRoomReview: UInt32 = 0
    var refresh: Refresh?
    /// Nil until somebody has been let in.
    package internal(set) var identity: Identity?
    /// The rooms proper that were asked for, joined or not yet.
    var rooms = RoomTable<Membership>()
    /// Whether the client has been asked to go elsewhere.
    package internal(set) var isSentAway = false
    /// Whether the registry has been told of this connection.
    var isRegistered = false
    var inbox: Membership?
    var everyone: Membership?
    /// The seq up to which the user was not in those rooms whose past the role there may not read, as far as that is known.
    package internal(set) var memberSince: [RoomName: Int] = [:]
    /// Nil for a new session, and once all that it brought back has been answered.
    var resumption: Resumption?
    var watched: Set<UserID> = []
    /// Users named by `watch` requests without an answer, each as often as it is named.
    var watchesAsked = 0
    var waiting = WaitingRequests()
    /// Messages about which the backend is asked, in the order they came.
    var held: [HeldMessage] = []
    /// Set for visitors and guests alone.
    var visiting = Visiting.not

    package init(settings: SessionSettings, now: MonotonicTime) {
        self.settings = settings
        openedAt = now
        phase = .waitingForToken(Opening(holdsFrames: false, session: nil))
        limiter = RateLimiter(now: now)
        joins = RateLimiter(now: now)
    }

    package var isLive: Bool {
        if case .live = phase { return true }
        return false
    }

    /// Whether nothing has been shown yet that could let the client in.
    package var awaitsToken: Bool {
        if case .waitingForToken = phase { return true }
        return false
    }

    /// Whether the backend decides if the client is let in.
    package var awaitsRuling: Bool {
        if case .deciding = phase { return true }
        return false
    }

    package var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    // MARK: Frames

    package mutating func received(_ request: ClientRequest, now: MonotonicTime) -> [Action] {
        guard !isClosed else { return [] }
        malformedInARow = 0
        return count(id: request.id, weight: weight(of: request.command), now: now)
            ?? countJoin(request, now: now) ?? countEvent(request, now: now) ?? claim(request, now: now)
            ?? handle(request)
    }

    package mutating func receivedMalformed(_ malformed: MalformedRequest, now: MonotonicTime) -> [Action] {
        guard !isClosed else { return [] }
        if !malformed.isReadable { malformedInARow += 1 }
        guard malformedInARow < settings.limits.maxMalformed else { return close(.malformed) }
        return count(id: malformed.id, weight: 1, now: now) ?? [.send(.error(id: malformed.id, error: malformed.error))]
    }

    /// A ping or pong frame: it counts as a frame like any other. `exhausted` is the caller's to close for.
    package mutating func receivedControlFrame(now: MonotonicTime) -> RateLimiter.Verdict {
        limiter.spend(now: now, limit: settings.limits.rate)
    }

    /// Nil where the frame is within the client's rate.
    private mutating func count(id: RequestID?, weight: Int, now: MonotonicTime) -> [Action]? {
        switch limiter.spend(now: now, limit: settings.limits.rate, weight: weight) {
        case .accepted: nil
        case .refused:
            refuse(id, tooMuch("too many frames; slow down", limiter.wait(now: now, limit: settings.limits.rate)))
        case .exhausted: close(.tooManyRequests)
        }
    }

    mutating func handle(_ request: ClientRequest) -> [Action] {
        switch phase {
        case .waitingForToken(let opening):
            guard case .auth(let token) = request.command else { return answerStranger(request, opening) }
            return show(token, opening, id: request.id)
        case .deciding(let opening, let deciding)
        where opening.token == nil && deciding.identity == nil && settings.takesTokens:
            if case .auth(let token) = request.command { return show(token, opening, id: request.id) }
            return hold(orClose: request)
        case .verifying(let opening), .deciding(let opening, _), .registering(let opening), .entering(let opening, _):
            var mustWait = opening.holdsFrames
            if case .auth = request.command { mustWait = true }
            guard mustWait else { return answerStranger(request, opening) }
            return hold(orClose: request)
        case .live:
            return serve(request)
        case .closed:
            return []
        }
    }

    private mutating func hold(orClose request: ClientRequest) -> [Action] {
        waiting.hold(request, limits: settings.limits) ? [] : close(.tooManyRequests)
    }

    private mutating func answerStranger(_ request: ClientRequest, _ opening: Opening) -> [Action] {
        if case .ping = request.command { return [.send(.pong(id: request.id))] }
        if case .waitingForToken = phase, opening.mayAskWithoutToken {
            return hold(orClose: request) + (isClosed ? [] : askWithoutToken(opening))
        }
        return refuse(request.id, .unauthorized, "authenticate first")
    }

    /// A request of a session that has been let in.
    mutating func serve(_ request: ClientRequest) -> [Action] {
        if isGuest { return serveGuest(request) }
        return switch request.command {
        case .auth(let token): startRefresh(token, id: request.id)
        case .ping: [.send(.pong(id: request.id))]
        case .join(let room, let since): join(room, since, request)
        case .resume(let since): resume(since, request)
        case .leave(let room): leave(room, request)
        case .message(let message): publish(message, request)
        case .history(let room, let range): readHistory(of: room, range, request)
        case .members(let room, let limit, let cursor):
            readMembers(of: room, limit: limit, cursor: cursor, request)
        case .watch(let users): watch(users, request)
        case .unwatch(let users): unwatch(users, request)
        case .signal(let user, let room, let payload): signal(to: user, in: room, payload, request)
        case .presence(let room?, let info): show(info, in: room, request)
        case .presence(nil, let info): showEverywhere(info, request)
        case .state(let state): [.setState(state, id: request.id)]
        case .turn: identity.map { [.turn($0.userId, id: request.id)] } ?? []
        case .order(let order): carryOut(.order(order, id: request.id), in: order.room, request)
        case .subscribe(let subscription): subscribe(subscription, request)
        case .signIn(let identity, let users): signIn(identity, watching: users, request)
        case .redact(let room, let seq, let epoch):
            carryOut(.redact(room, seq: seq, epoch: epoch, id: request.id), in: room, request)
        }
    }

    // MARK: Rules

    /// Whether this client may do this here.
    func isAllowed(_ action: RoomAction, in room: RoomName) -> Bool {
        guard let identity else { return isGuest && settings.rules.allowsGuests(action, in: room) }
        return settings.rules.allows(action, in: room, for: identity)
    }

    /// What is answered where only those in a room may be told of it; nil where this client is in it, or may look in from
    /// outside.
    mutating func keepOut(_ request: ClientRequest, for action: RoomAction, in room: RoomName) -> [Action]? {
        guard !isMember(of: room), !settings.rules.allowsOutside(action, in: room, for: identity) else { return nil }
        if case .joining = rooms[room] { return hold(request) }
        return refuse(request.id, .notMember, "join the room first")
    }

    mutating func hold(_ request: ClientRequest) -> [Action] {
        guard waiting.hold(request, limits: settings.limits) else {
            return refuse(request.id, .rateLimited, "too many requests wait for the room")
        }
        return []
    }

    func refuse(_ id: RequestID?, _ code: ErrorCode, _ message: String) -> [Action] {
        refuse(id, RequestError(code, message))
    }

    func refuse(_ id: RequestID?, _ error: RequestError) -> [Action] {
        [.send(.error(id: id, error: error))]
    }
}
