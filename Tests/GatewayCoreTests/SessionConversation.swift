import GatewayCore

/// A session machine in conversation: inputs in few words, what it answers as lines that can be compared.
struct SessionConversation {
    var machine: SessionMachine
    var now = MonotonicTime(nanoseconds: 1)
    var wallMilliseconds: Int64 = 1_700_000_000_000

    init(tokens: Bool = false, rules: RoomRules = RoomRules(), limits: SessionLimits = SessionLimits()) {
        let settings = SessionSettings(rules: rules, limits: limits, takesTokens: tokens)
        machine = SessionMachine(settings: settings, now: now)
    }

    /// One that has been let in as alice.
    static func live(
        tokens: Bool = false, rules: RoomRules = RoomRules(), limits: SessionLimits = SessionLimits(),
        expires: Int64? = nil, grants: RoomGrants? = nil
    ) -> SessionConversation {
        var talk = SessionConversation(tokens: tokens, rules: rules, limits: limits)
        _ = talk.machine.opened(with: .identity(identity(expires: expires, grants: grants)))
        _ = talk.ready("*")
        return talk
    }

    static func identity(_ user: String = "alice", expires: Int64? = nil, grants: RoomGrants? = nil) -> Identity {
        Identity(userId: UserID(unchecked: user), expires: expires, grants: grants)
    }

    static func room(_ name: String) -> RoomName { RoomName(unchecked: name) }

    // MARK: Inputs

    mutating func open(_ credentials: SessionMachine.Credentials) -> [String] {
        lines(machine.opened(with: credentials))
    }
    mutating func verified(_ identity: Identity) -> [String] { lines(machine.verified(identity)) }
    mutating func refused(_ text: String) -> [String] { lines(machine.refused(TokenError(text))) }

    mutating func ask(_ id: Int, _ command: ClientCommand) -> [String] {
        let id = RequestID(json: Array(String(id).utf8))
        return lines(machine.received(ClientRequest(id: id, command: command), now: now))
    }

    mutating func join(_ id: Int, _ room: String) -> [String] { ask(id, .join(room: Self.room(room))) }
    mutating func leave(_ id: Int, _ room: String) -> [String] { ask(id, .leave(room: Self.room(room))) }
    mutating func ping(_ id: Int) -> [String] { ask(id, .ping) }
    mutating func auth(_ id: Int, _ token: String) -> [String] { ask(id, .auth(token: token)) }

    mutating func say(_ id: Int, _ room: String, bytes: Int = 1, dedupe: String? = nil) -> [String] {
        let payload = Array(repeating: UInt8(ascii: "1"), count: bytes)
        return ask(id, .message(room: Self.room(room), msgType: 1, payload: payload, dedupe: dedupe))
    }

    mutating func read(_ id: Int, _ room: String) -> [String] {
        ask(id, .history(room: Self.room(room), range: HistoryRange(edge: .newest, limit: 50)))
    }

    mutating func malformed(_ id: Int? = nil) -> [String] {
        let id = id.map { RequestID(json: Array(String($0).utf8)) }
        let error = RequestError(.badRequest, "not JSON")
        return lines(machine.receivedMalformed(MalformedRequest(id: id, error: error), now: now))
    }

    mutating func ready(_ room: String, seq: Int = 7) -> [String] {
        lines(machine.streamReady(Self.room(room), at: Position(epoch: "e", seq: seq), timestamp: 5))
    }

    mutating func failed(_ room: String) -> [String] {
        lines(machine.streamFailed(Self.room(room), .unavailable(reason: "secret")))
    }

    mutating func wait(_ duration: Duration) -> [String] {
        now = now + duration
        wallMilliseconds += duration.milliseconds
        return lines(machine.hitDeadline(now: now, wallMilliseconds: wallMilliseconds))
    }

    // MARK: Answers

    func lines(_ actions: [SessionMachine.Action]) -> [String] { actions.map(line) }

    private func line(_ action: SessionMachine.Action) -> String {
        switch action {
        case .send(let event): line(event)
        case .welcome(let user, let everyone, let timestamp): "welcome \(user) at \(everyone.seq) time \(timestamp)"
        case .verify(let token): "verify \(token)"
        case .follow(let room): "follow \(room)"
        case .followLater(let room): "follow \(room) later"
        case .enter(let room): "enter \(room)"
        case .leave(let room): "leave \(room)"
        case .tellPosition(let id, let room): "position \(text(id)) \(room)"
        case .publish(let publication, let id):
            "publish \(text(id)) \(publication.room) by \(publication.userId)\(publication.dedupe.map { " as \($0.key)" } ?? "")"
        case .readHistory(let room, _, let id): "history \(text(id)) \(room)"
        case .close(let reason, let text): "close \(reason.code) \(text)"
        }
    }

    private func line(_ event: ServerEvent) -> String {
        switch event {
        case .authenticated(let id, let expires): "authenticated \(text(id)) \(expires ?? 0)"
        case .joined(let id, let room, let position): "joined \(text(id)) \(room) at \(position.seq)"
        case .left(let id, let room): "left \(text(id)) \(room)"
        case .ack(let id, let room, let published): "ack \(text(id)) \(room) \(published.position.seq)"
        case .history(let id, let page): "page \(text(id)) \(page.messages.count)"
        case .pong(let id): "pong \(text(id))"
        case .reconnect(let milliseconds): "reconnect \(milliseconds)"
        case .error(let id, let error): "error \(text(id)) \(error.code.rawValue)"
        case .welcome, .message, .gap, .epoch: "not the machine's"
        }
    }

    private func text(_ id: RequestID?) -> String { id.map { String(decoding: $0.json, as: UTF8.self) } ?? "-" }
}
