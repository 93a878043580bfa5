import GatewayCore

/// A track's machine in conversation: inputs in few words, what it calls for as lines that can be compared.
final class TrackConversation {
    let room = RoomName(unchecked: "lesson-1")
    private var machine = TrackMachine()
    var conditions: TrackConditions
    /// Hubs that follow, as whoever performs keeps them.
    private var hubs: Set<HubNumber> = []
    private var ticket: FollowTicket = 0
    /// Behind which the log was last to be read.
    private var after = 0
    /// Of messages that came with some, as the log holds them then.
    private var sizes: [Int: Int] = [:]

    init(
        isInbox: Bool = false, keepsRoster: Bool = false,
        limits: LogLimits = LogLimits(size: 1000, age: .seconds(3600)), recoverLimit: Int = 1000
    ) {
        conditions = TrackConditions(
            now: MonotonicTime(nanoseconds: 0), isConnected: true, breaks: 0, isAnswered: true, isInbox: isInbox,
            keepsRoster: keepsRoster, limits: limits, settings: TrackConditions.Settings(recoverLimit: recoverLimit))
    }

    /// One whose channel stands and whose first listener, of hub 0, is live.
    static func live(
        at seq: Int, keepsRoster: Bool = false, roster: Int64? = nil,
        limits: LogLimits = LogLimits(size: 1000, age: .seconds(3600)), recoverLimit: Int = 1000
    ) -> TrackConversation {
        let talk = TrackConversation(keepsRoster: keepsRoster, limits: limits, recoverLimit: recoverLimit)
        _ = talk.subscribed()
        _ = talk.follow()
        _ = talk.answered(seq, roster: roster)
        _ = talk.tick(after: .zero)
        return talk
    }

    var position: Position? { machine.position }
    var isBusy: Bool { machine.isBusy }
    var isDue: Bool { machine.isBusy && machine.restsUntil.map { $0 <= conditions.now } ?? true }

    // What comes from outside.

    func subscribed() -> [String] { told(machine.subscribed(conditions)) }

    func linkLost() {
        conditions.isConnected = false
        conditions.breaks += 1
        machine.linkLost()
    }

    func linkReturned() -> [String] {
        conditions.isConnected = true
        return told(machine.linkReturned(conditions))
    }

    func hear(_ seq: Int, _ epoch: String = "e1", bytes: Int = 0, at timestamp: Int64 = 1000) -> [String] {
        sizes[seq] = bytes
        let message = message(seq, epoch, bytes: bytes, at: timestamp)
        switch machine.received(message, conditions) {
        case .deliver: return ["deliver \(seq)"]
        case .repeated: return ["repeated"]
        case .kept: return ["kept"]
        case .perform(let actions): return told(actions)
        }
    }

    func step(_ version: Int64, _ users: String..., members: Int = 1) -> [String] {
        let events = users.map {
            RosterEvent(kind: .join, userId: UserID(unchecked: $0), info: nil, connection: nil)
        }
        let change = RosterChange(room: room, events: events, members: members, version: version, timestamp: 0)
        switch machine.received(change, conditions) {
        case .tell(let change): return [line(of: change)]
        case .nothing: return []
        case .perform(let actions): return told(actions)
        }
    }

    /// Tickets count from 1.
    func follow(
        since seq: Int? = nil, _ epoch: String? = nil, portion: Portion = .unbounded, hub: HubNumber = 0
    ) -> [String] {
        ticket += 1
        let listener = Listener(
            ticket: ticket, hub: hub, since: seq.map { ClientPosition(epoch: epoch, seq: $0) }, portion: portion,
            deadline: conditions.now + conditions.settings.followTimeout)
        return told(machine.listenerCame(listener, conditions))
    }

    func leave(hub: HubNumber = 0) -> [String] {
        hubs.remove(hub)
        return told(machine.left(hub, isFollowed: !hubs.isEmpty, now: conditions.now))
    }

    func tick(after duration: Duration) -> [String] {
        conditions.now = conditions.now + duration
        return told(machine.ticked(conditions))
    }

    func registering() { machine.registrationBegan(conditions) }

    func registered(at position: Position?) -> [String] {
        told(machine.registrationEnded(at: position, conditions))
    }

    func joined(at seq: Int, _ epoch: String = "e1", roster: Int64) -> [String] {
        told(machine.joined(at: Position(epoch: epoch, seq: seq), state(roster), conditions))
    }

    /// - Parameter asked: up to where everything was delivered then, where that was not now.
    func compared(
        _ seq: Int, _ epoch: String = "e1", roster: Int64 = 0, settings: Int64 = 0, asked: Position? = nil
    ) -> [String] {
        told(
            machine.compared(
                Position(epoch: epoch, seq: seq), rosterVersion: roster, settingsVersion: settings,
                asked: asked ?? position, conditions))
    }

    /// Settings came over the channel; answers whether they are told.
    func heard(_ person: RoomPerson, version: Int64) -> RoomState? { machine.received(person, version: version) }

    func heard(settings version: Int64) -> Bool { told(settings: version) != nil }

    /// What is told of settings that came over the channel; nil for nothing.
    func told(settings version: Int64) -> RoomState? {
        machine.received(RoomState(version: version, settings: Array("{}".utf8)))
    }

    func heard(closed version: Int64) -> Bool { machine.received(.closed(at: version)) != nil }

    func completeSettings() -> [String] { told(machine.completeSettings(conditions)) }

    var settings: RoomState? { machine.settings }
    var knownSettings: Int64 { machine.knownSettings }

    /// Messages have no payloads any more; answers whether that is told.
    func redacted(_ seqs: Int..., of epoch: String = "e1", isPresent: Bool = true) -> Bool {
        machine.received(Redaction(room: room, epoch: epoch, isPresent: isPresent, seqs: seqs))
    }

    func forgetOldest() { machine.forgetOldest(of: machine.generation) }

    // What Redis answers.

    func answered(
        _ seq: Int, _ epoch: String = "e1", ends: String = "", log: [Int] = [], after: Int? = nil, more: Bool = false,
        roster: Int64? = nil
    ) -> [String] {
        let answer = answer(seq, epoch, ends: ends, log: log, after: after, more: more, roster: roster)
        return told(machine.answered(.success(answer), conditions))
    }

    func unanswered() -> [String] {
        told(machine.answered(.failure(.unavailable(reason: "away")), conditions))
    }

    /// - Parameter timestamps: of those messages that were not stored at 1000.
    func caughtUp(
        _ seq: Int, _ epoch: String = "e1", ends: String = "", log: [Int] = [], at timestamps: [Int: Int64] = [:],
        more: Bool = false, roster: Int64? = nil, settings: Int64? = nil, isClosed: Bool = false, closedAt: Int64 = 0
    ) -> [String] {
        let answer = answer(
            seq, epoch, ends: ends, log: log, at: timestamps, after: after, more: more, roster: roster,
            settings: settings.map {
                RoomState(version: $0, settings: Array("{}".utf8), isClosed: isClosed, closedAt: closedAt)
            })
        return told(machine.caughtUp(.success(answer), conditions))
    }

    /// With nothing but settings to tell.
    func caughtUp(_ seq: Int, state: RoomState) -> [String] {
        let answer = answer(seq, "e1", ends: "", log: [], after: after, more: false, roster: nil, settings: state)
        return told(machine.caughtUp(.success(answer), conditions))
    }

    func notCaughtUp() -> [String] {
        told(machine.caughtUp(.failure(.unavailable(reason: "away")), conditions))
    }

    private func answer(
        _ seq: Int, _ epoch: String, ends: String, log: [Int], at timestamps: [Int: Int64] = [:], after: Int?,
        more: Bool, roster: Int64?, settings: RoomState? = nil
    ) -> PositionAnswer {
        PositionAnswer(
            head: Position(epoch: epoch, seq: seq), roster: roster.map(state), settings: settings, timestamp: 1000,
            ends: ends,
            after: after, messages: log.map { message($0, epoch, bytes: sizes[$0] ?? 0, at: timestamps[$0] ?? 1000) },
            more: more)
    }

    private func message(_ seq: Int, _ epoch: String, bytes: Int, at timestamp: Int64) -> RoomMessage {
        RoomMessage(
            room: room, userId: UserID(unchecked: "amy"), msgType: 1, payload: Array(repeating: 0x20, count: bytes),
            timestamp: timestamp, position: Position(epoch: epoch, seq: seq))
    }

    private func state(_ version: Int64) -> RosterState {
        RosterState(members: 1, version: version, timestamp: 1000)
    }

    // What is to be done, in order; that time is to be looked at is left out.

    private func told(_ actions: [TrackMachine.Action]) -> [String] {
        actions.compactMap { action in
            switch action {
            case .deliver(let message): return "deliver \(message.seq)" + (message.isRedacted ? " redacted" : "")
            case .remember(let messages): return "remember \(messages.map(\.seq))"
            case .repeated: return "repeated"
            case .epoch(let position): return "epoch \(position.epoch)/\(position.seq)"
            case .gap(let position): return "gap \(position.epoch)/\(position.seq)"
            case .presence(let change): return line(of: change)
            case .rosterMoved(let state): return "roster moved to \(state.version)"
            case .settings(let state, let event): return "\(event) \(state.version)"
            case .start(let listener, let start):
                if !start.hasMore { hubs.insert(listener.hub) }
                return line(of: start, listener)
            case .fail(let listener, _): return "fail \(listener.ticket)"
            case .ask(nil): return "ask"
            case .ask(let part?): return "ask after \(part.after) for \(part.limit)"
            case .catchUp(let part):
                after = part.after
                return "catch up after \(part.after)"
            case .compare: return "compare"
            case .look: return nil
            case .leave: return "leave"
            }
        }
    }

    private func line(of change: RosterChange) -> String {
        "roster \(change.version) \(change.events.map(\.userId.string))"
    }

    private func line(of start: StreamStart, _ listener: Listener) -> String {
        var line = "start \(listener.ticket) at \(start.position.epoch)/\(start.position.seq)"
        if let roster = start.roster { line += " roster \(roster.version)" }
        if !start.recovered { line += " lost" }
        if !start.missed.isEmpty { line += " missed \(start.missed.map(\.seq))" }
        let redacted = start.missed.filter(\.isRedacted).map(\.seq)
        if !redacted.isEmpty { line += " redacted \(redacted)" }
        if start.hasMore { line += " more" }
        return line
    }
}
