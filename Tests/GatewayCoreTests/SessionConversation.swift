import GatewayCore

/// A session machine in conversation: inputs in few words, what it answers as lines that can be compared.
final class SessionConversation {
    var machine: SessionMachine
    var now = MonotonicTime(nanoseconds: 1)
    var wallMilliseconds: Int64 = 1_700_000_000_000
    private(set) var enrollments: [Enrollment] = []

    init(
        tokens: Bool = false, checked: Bool = true, asking: Bool = false, guests: Bool = false,
        rules: RoomRules = RoomRules(), watchRight: WatchRight = .anyone, limits: SessionLimits = SessionLimits()
    ) {
        let settings = SessionSettings(
            rules: rules, watchRight: watchRight, limits: limits, takesTokens: tokens, checksTokens: checked,
            asksBackend: asking, takesGuests: guests)
        machine = SessionMachine(settings: settings, now: now)
    }

    /// One that has been let in as alice.
    static func live(
        tokens: Bool = false, rules: RoomRules = RoomRules(), watchRight: WatchRight = .anyone,
        limits: SessionLimits = SessionLimits(), expires: Int64? = nil, grants: RoomGrants? = nil
    ) -> SessionConversation {
        let talk = SessionConversation(tokens: tokens, rules: rules, watchRight: watchRight, limits: limits)
        _ = talk.machine.opened(with: .identity(identity(expires: expires, grants: grants)))
        _ = talk.registered()
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        return talk
    }

    /// One that has been let in as alice with the rooms of an earlier session.
    static func resumed(
        _ rooms: String..., forbidden: [String] = [], since: [String: Int] = [:], tokens: Bool = false,
        limits: SessionLimits = SessionLimits()
    ) -> SessionConversation {
        let talk = SessionConversation(tokens: tokens, limits: limits)
        _ = talk.machine.opened(with: .identity(identity()), session: "s0")
        _ = talk.registered(rooms, forbidden: forbidden, since: since)
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        return talk
    }

    /// One that the backend has let in as alice, with this.
    static func allowed(_ grant: Grant = Grant(), rules: RoomRules = RoomRules(), tokens: Bool = true)
        -> SessionConversation
    {
        let talk = SessionConversation(tokens: tokens, asking: true, rules: rules)
        _ = talk.machine.opened(with: .identity(identity()))
        _ = talk.ruled(1, .connect(identity().userId, token: nil), .allowed(grant))
        _ = talk.registered()
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        return talk
    }

    static func identity(_ user: String = "alice", expires: Int64? = nil, grants: RoomGrants? = nil) -> Identity {
        Identity(userId: UserID(unchecked: user), expires: expires, grants: grants)
    }

    static func room(_ name: String) -> RoomName { RoomName(unchecked: name) }

    // MARK: Questions

    var isLive: Bool { machine.isLive }
    var isStranger: Bool { machine.isStranger }
    var isVisitor: Bool { machine.isVisitor }
    var isGuest: Bool { machine.isGuest }
    var user: String? { machine.identity?.userId.string }

    /// - Parameter wall: milliseconds since 1970.
    func deadline(wall: Int64) -> MonotonicTime? { machine.nextDeadline(now: now, wallMilliseconds: wall) }
    func isMember(of room: String) -> Bool { machine.isMember(of: Self.room(room)) }
    func seesPresence(in room: String) -> Bool { machine.seesPresence(in: Self.room(room)) }
    func isWatching(_ user: String) -> Bool { machine.isWatching(UserID(unchecked: user)) }

    // MARK: Inputs

    func open(_ credentials: SessionMachine.Credentials, session: String? = nil) -> [String] {
        lines(machine.opened(with: credentials, session: session))
    }

    /// The answer to the question of this number.
    func ruled(_ number: UInt32, _ subject: SessionMachine.Inquiry.Subject, _ ruling: Ruling) -> [String] {
        answered(.ruled(SessionMachine.Inquiry(number: number, subject: subject), ruling))
    }
    func ruled(_ number: UInt32, joining room: String, _ ruling: Ruling) -> [String] {
        ruled(number, .join(Self.room(room)), ruling)
    }
    func ruled(_ number: UInt32, sayingIn room: String, _ ruling: Ruling) -> [String] {
        ruled(number, .publish(Self.room(room), payload: []), ruling)
    }

    func answered(_ answer: SessionMachine.Answer) -> [String] { lines(machine.answered(answer, now: now)) }

    /// - Parameter rooms: what the session brought back; nil for a new one.
    func registered(
        _ rooms: [String]? = nil, forbidden: [String] = [], since: [String: Int] = [:]
    ) -> [String] {
        let resumed = rooms.map {
            var resumed = ResumedSession(rooms: $0.map(Self.room), forbidden: forbidden.map(Self.room))
            for (room, seq) in since { resumed.since[Self.room(room)] = seq }
            return resumed
        }
        return answered(.registered(result: .success(Registration(session: "s1", timestamp: 5, resumed: resumed))))
    }
    func registrationFailed(_ error: RegistrationError) -> [String] {
        answered(.registered(result: .failure(error)))
    }
    /// With a registry that lets all tokens count, at once.
    func verified(_ identity: Identity) -> [String] {
        let actions = machine.answered(.verified(result: .success(identity)), now: now)
        guard case .confirm = actions.first else { return lines(actions) }
        return confirmed(.admitted)
    }
    func confirmed(_ clearance: Clearance) -> [String] { answered(.confirmed(clearance: clearance)) }
    func refused(_ text: String) -> [String] { answered(.verified(result: .failure(TokenError(text)))) }

    func ask(_ id: Int, _ command: ClientCommand) -> [String] {
        let id = RequestID(json: Array(String(id).utf8))
        return lines(machine.received(ClientRequest(id: id, command: command), now: now))
    }

    /// - Parameter since: the last seq seen; nil for a join from now on.
    func join(_ id: Int, _ room: String, since: Int? = nil) -> [String] {
        ask(id, .join(room: Self.room(room), since: since.map { ClientPosition(epoch: "e", seq: $0) }))
    }

    /// The same with a registry and streams that answer at once.
    func enter(_ room: String) {
        _ = join(0, room)
        _ = enrolled(room)
        _ = ready(room)
    }

    func resume(_ id: Int, _ since: [String: Int] = [:]) -> [String] {
        let positions = since.map { (Self.room($0.key), ClientPosition(epoch: "e", seq: $0.value)) }
        return ask(id, .resume(since: Dictionary(uniqueKeysWithValues: positions)))
    }

    func watch(_ id: Int, _ users: String...) -> [String] {
        ask(id, .watch(users: users.map { UserID(unchecked: $0) }))
    }
    func unwatch(_ id: Int, _ users: String...) -> [String] {
        ask(id, .unwatch(users: users.map { UserID(unchecked: $0) }))
    }
    func watching(_ id: Int, _ users: String...) -> [String] {
        let statuses = users.map { UserStatus(userId: UserID(unchecked: $0), isOnline: false, lastSeen: nil) }
        return answered(.watching(id: RequestID(json: Array(String(id).utf8)), users: statuses, refused: []))
    }
    func sharers(_ id: Int, of users: [String], _ sharers: Set<String>) -> [String] {
        let sharers = Set(sharers.map { UserID(unchecked: $0) })
        let id = RequestID(json: Array(String(id).utf8))
        return answered(.sharersFound(id: id, users: users.map { UserID(unchecked: $0) }, sharers: sharers))
    }
    func members(_ id: Int, _ room: String) -> [String] {
        ask(id, .members(room: Self.room(room), limit: 100, cursor: nil))
    }
    func signal(_ id: Int, _ user: String, _ room: String) -> [String] {
        ask(id, .signal(to: UserID(unchecked: user), room: Self.room(room), payload: [0x31]))
    }
    func leave(_ id: Int, _ room: String) -> [String] { ask(id, .leave(room: Self.room(room))) }
    func ping(_ id: Int) -> [String] { ask(id, .ping) }
    func auth(_ id: Int, _ token: String) -> [String] { ask(id, .auth(token: token)) }

    func say(_ id: Int, _ room: String, bytes: Int = 1, dedupe: String? = nil) -> [String] {
        let payload = Array(repeating: UInt8(ascii: "1"), count: bytes)
        return ask(id, .message(MessageCommand(room: Self.room(room), payload: payload, dedupe: dedupe)))
    }

    func read(_ id: Int, _ room: String) -> [String] {
        ask(id, .history(room: Self.room(room), range: HistoryRange(edge: .newest, limit: 50)))
    }

    func malformed(_ id: Int? = nil, isReadable: Bool = false) -> [String] {
        let id = id.map { RequestID(json: Array(String($0).utf8)) }
        let error = RequestError(.badRequest, "not JSON")
        let malformed = MalformedRequest(id: id, error: error, isReadable: isReadable)
        return lines(machine.receivedMalformed(malformed, now: now))
    }

    func goElsewhere(after duration: Duration) { machine.goElsewhere(at: now + duration) }

    func enrolled(_ room: String, since: Int? = nil) -> [String] {
        let roster = RosterState(members: 1, version: 9, timestamp: 5, since: since)
        return answered(.enrolled(enrollment(in: room), result: .success(roster)))
    }

    func enrollmentFailed(_ room: String) -> [String] {
        answered(.enrolled(enrollment(in: room), result: .failure(.unavailable(reason: "secret"))))
    }

    /// The last that was asked for.
    func enrollment(in room: String) -> Enrollment {
        enrollments.last { $0.room == Self.room(room) } ?? Enrollment(room: Self.room(room), number: 0)
    }

    func ready(
        _ room: String, epoch: String = "e", seq: Int = 7, recovered: Bool = true, missed: [RoomMessage] = [],
        hasMore: Bool = false, members: Int? = nil, reading: RoomReading? = nil
    ) -> [String] {
        let roster = members.map { RosterState(members: $0, version: 9, timestamp: 5) }
        var start = StreamStart(
            position: Position(epoch: epoch, seq: seq), recovered: recovered, missed: missed, hasMore: hasMore,
            roster: roster, timestamp: 5)
        start.reading = reading
        if reading != nil { start.settings = RoomState(version: 7, settings: Array("{}".utf8)) }
        return answered(.streamReady(room: Self.room(room), start: start))
    }

    static func message(_ room: String, _ seq: Int, bytes: Int = 1) -> RoomMessage {
        RoomMessage(
            room: Self.room(room), userId: .system, msgType: 1, payload: Array(repeating: 0x31, count: bytes),
            timestamp: 5, position: Position(epoch: "e", seq: seq))
    }

    func failed(_ room: String) -> [String] {
        answered(.streamFailed(room: Self.room(room), error: .unavailable(reason: "secret")))
    }

    func wait(_ duration: Duration) -> [String] {
        now = now + duration
        wallMilliseconds += duration.milliseconds
        return lines(machine.hitDeadline(now: now, wallMilliseconds: wallMilliseconds))
    }

    /// What is left behind: the rooms, sorted, the watched users, and what the registry is told.
    func end(_ end: SessionMachine.End) -> [String] {
        let remains = machine.closed(end)
        let departure: [String] =
            switch remains.departure {
            case .farewell(let cause): ["farewell \(cause.rawValue)"]
            case .abrupt(let cause): ["abrupt \(cause.rawValue)"]
            case nil: []
            }
        return remains.rooms.map(\.string).sorted() + remains.watched.map { "watched \($0)" }.sorted() + departure
    }

    // MARK: Answers

    func lines(_ actions: [SessionMachine.Action]) -> [String] {
        for case .enroll(let enrollment, _) in actions { enrollments.append(enrollment) }
        for case .enrollVisitor(let enrollment, _) in actions { enrollments.append(enrollment) }
        return actions.map(line)
    }

    private func line(_ action: SessionMachine.Action) -> String {
        switch action {
        case .send(let event): line(event)
        case .sendPage(let event): line(event)
        case .register(let session): "register\(session.map { " resuming \($0)" } ?? "")"
        case .registerLater: "register later"
        case .welcome(let user, let session, let resumed, let timestamp, let id):
            "welcome\(id.map { " \(text($0))" } ?? "") \(user) session \(session)"
                + "\(resumed ? " resumed" : "") time \(timestamp)"
        case .verify(let token): "verify \(token)"
        case .confirm(let identity): "confirm \(identity.userId) issued \(identity.issuedAt ?? -1)"
        case .enroll(let enrollment, let info):
            "enroll \(enrollment.room) \(String(decoding: info, as: UTF8.self))"
        case .admitVisitor: "admit"
        case .admitGuest: "admit guest"
        case .greetGuest: "greet"
        case .endGuest: "no guest"
        case .nameVisitor: "name \(machine.identity?.userId.string ?? "nobody")"
        case .enrollVisitor(let enrollment, let member):
            "enroll \(enrollment.room) as \(member.userId) \(String(decoding: member.info, as: UTF8.self))"
        case .readRoster(let joined, _): "roster \(joined.room)"
        case .release(let joined, let version): "release \(joined.room) behind \(version)"
        case .enrollQuietly(let room): "note \(room)"
        case .attend(let room): "attend \(room)"
        case .noteMiss(let room): "miss \(room)"
        case .withdraw(let room): "withdraw \(room)"
        case .follow(let room, let since): "follow \(room)\(since.map { " since \($0.seq)" } ?? "")"
        case .followLater(let room): "follow \(room) later"
        case .enter(let room, .now): "enter \(room)"
        case .enter(let room, .kept): "enter \(room) kept"
        case .enter(let room, .start(let start)):
            "enter \(room) at \(start.position.seq) missed \(start.missed.count)\(start.hasMore ? " and more" : "")"
        case .leave(let room): "leave \(room)"
        case .tellPosition(let id, let room): "position \(text(id)) \(room)"
        case .publish(let publication, let echo, let id):
            "publish \(text(id)) \(publication.room) by \(publication.userId)"
                + (publication.dedupe.map { " as \($0.key)" } ?? "") + (publication.event.map { " named \($0)" } ?? "")
                + (echo ? "" : " but to itself") + (publication.isVolatile ? " unstored" : "")
        case .readHistory(let room, _, let id): "history \(text(id)) \(room)"
        case .readMembers(let room, let limit, _, let id): "members \(text(id)) \(room) \(limit)"
        case .findSharers(let users, let rooms, let id):
            "ask \(text(id)) \(words(users)) in \(rooms.map(\.string).sorted().joined(separator: " "))"
        case .watch(let users, _, let refused, let id):
            "watch \(text(id)) \(words(users))\(refused.isEmpty ? "" : " not \(words(refused))")"
        case .unwatch(let users): "unwatch \(users.map(\.string).joined(separator: " "))"
        case .show(let info, let rooms, let id):
            "show \(text(id)) \(String(decoding: info, as: UTF8.self)) in \(rooms.map(\.string).sorted().joined(separator: " "))"
        case .setState(let state, let id): "state \(text(id)) \(state.rawValue)"
        case .turn(let user, let id): "turn \(text(id)) for \(user)"
        case .signal(let signal, let id): "signal \(text(id)) \(signal.from) to \(signal.to) in \(signal.room)"
        case .ask(let inquiry): "ask \(inquiry.number) \(line(inquiry.subject))"
        case .keepToken(let token): "keep \(token)"
        case .order(let order, let id): "order \(text(id)) \(order.user) in \(order.room)"
        case .redact(let room, let seq, let epoch, let id): "redact \(text(id)) \(room) \(epoch ?? "-") \(seq)"
        case .close(let reason, let text): "close \(reason.code) \(text)"
        }
    }

    private func line(_ subject: SessionMachine.Inquiry.Subject) -> String {
        switch subject {
        case .connect(let user, let token): "about \(user?.string ?? "nobody")\(token.map { " with \($0)" } ?? "")"
        case .join(let room): "to join \(room)"
        case .publish(let room, let payload): "to say \(payload.count) in \(room)"
        }
    }

    private func line(_ event: ServerEvent) -> String {
        switch event {
        case .authenticated(let id, let expires): "authenticated \(text(id)) \(expires ?? 0)"
        case .joined(let id, let joined):
            "joined \(text(id)) \(joined.room) at \(joined.position.seq)"
                + (joined.recovered ? "" : " lost") + (joined.roster.map { " of \($0.members)" } ?? "")
                + (joined.role.map { " as \($0.string)" } ?? "")
        case .resumed(let id, let rooms): "resumed \(text(id)) \(rooms.map(line).joined(separator: ", "))"
        case .left(let id, let room): "left \(text(id)) \(room)"
        case .ack(let id, let room, let published): "ack \(text(id)) \(room) \(published.position.seq)"
        case .history(let id, let page): "page \(text(id)) \(page.messages.count)"
        case .seen(let room, let seq): "seen \(room) \(seq)"
        case .ordered(let id, let room, let version): "ack \(text(id)) \(room) version \(version)"
        case .pong(let id): "pong \(text(id))"
        case .reconnect(let milliseconds): "reconnect \(milliseconds)"
        case .error(let id, let error): "error \(text(id)) \(error.code.rawValue)"
        case .members(let id, _, let page): "members \(text(id)) \(page.count)"
        case .watching(let id, let users):
            "watching \(text(id)) \(users.count { $0.refusal == nil })"
                + users.filter { $0.refusal != nil }.map { " \($0.userId) \($0.refusal?.rawValue ?? "")" }.joined()
        case .acknowledged(let id): "ack \(text(id))"
        case .gap(let room, let position): "gap \(room) at \(position.seq)"
        case .epoch(let room, let position): "epoch \(room) \(position.epoch) at \(position.seq)"
        case .room(let change):
            "\(change.event.rawValue) \(change.room) \(change.state.version)"
                + (change.role.map { " as \($0.string)" } ?? "")
        case .redacted(let room, let position): "redacted \(room) \(position.seq)"
        case .welcome, .message, .presence, .counted, .status, .signal, .turn: "not the machine's"
        }
    }

    private func line(_ room: ResumedRoom) -> String {
        switch room.outcome {
        case .joined(let position, let recovered): "\(room.room) at \(position.seq)\(recovered ? "" : " lost")"
        case .refused(let code): "\(room.room) \(code.rawValue)"
        }
    }

    private func words(_ users: [UserID]) -> String { users.map(\.string).joined(separator: " ") }

    private func text(_ id: RequestID?) -> String { id.map { String(decoding: $0.json, as: UTF8.self) } ?? "-" }
}
