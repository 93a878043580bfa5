/// The state machine of one room, inbox or `*` that a node follows: every message once and in order, holes filled from
/// the log, each listener live from where it was told that the room stands.
///
/// It knows neither Redis nor time: whoever has it tells what the channel brings, what Redis answers and which time it
/// is, and performs what it is answered, in order. A listener goes live with the answer to a question that is asked once
/// the room's channel is subscribed, so nothing lies between its position and what it is sent.
package struct TrackMachine: ~Copyable {
    /// The decision on a message that has come over the channel; without an array for the next one, which nearly every
    /// one is.
    package enum Receipt {
        /// It goes to the followers.
        case deliver
        /// It was seen already.
        case repeated
        /// It is kept for when the stream's place is known or the log has answered.
        case kept
        case perform([Action])
    }

    /// The decision on steps of the roster that have come over the channel.
    package enum RosterReceipt {
        /// They go to the followers.
        case tell(RosterChange)
        /// They were told already, or are kept.
        case nothing
        case perform([Action])
    }

    package enum Action {
        /// For all followers; it is among the recent messages now.
        case deliver(RoomMessage)
        /// These are among the recent messages now.
        case remember([RoomMessage])
        /// A message came twice and was dropped.
        case repeated
        /// The stream goes on under a new epoch.
        case epoch(Position)
        /// Messages were lost: the stream goes on after this position.
        case gap(Position)
        case presence(RosterChange)
        /// The roster has changed unseen.
        case rosterMoved(RosterState)
        /// The settings have changed, and the channel has not told it.
        case settings(RoomState, RoomChange.Event)
        /// The listener is answered; its hub follows from then on unless the start has more.
        case start(Listener, StreamStart)
        case fail(Listener, BackendError)
        /// Where the room stands, and what its log holds there: answered by `answered`.
        case ask(LogPart?)
        /// The same for what all followers have missed: answered by `caughtUp`.
        case catchUp(LogPart)
        /// The track is to be compared with the room's head, together with others: answered by `compared`.
        case compare
        /// The next tick is to look at the track.
        case look
        /// The room is followed no longer.
        case leave
    }

    var cursor = StreamCursor()
    /// The settings as the hubs were told them, with who is what by then; nil where there are none.
    package internal(set) var settings: RoomState?
    /// The roster as the hubs were told it; nil until the first answer, and where the room keeps none.
    package internal(set) var roster: RosterState? {
        get {
            standing.map { RosterState(members: Int($0.members), version: $0.version, timestamp: $0.timestamp) }
        }
        set { standing = newValue.map { ($0.version, $0.timestamp, Int32(clamping: $0.members)) } }
    }
    /// What there is of it, without whoever joined.
    private var standing: (version: Int64, timestamp: Int64, members: Int32)?
    private(set) var isSubscribed = false
    /// Whether a hub has a live listener.
    private var isFollowed = false
    private(set) var recent = RecentMessages()
    /// Nil while nothing is under way: the stream is known and the next number is awaited.
    private(set) var pending: PendingWork?

    package init() {}

    /// Up to where everything was delivered; nil until the first answer.
    package var position: Position? { cursor.position }

    /// Of the settings as they are known; 0 where there are none.
    package var settingsVersion: Int64 { settings?.version ?? 0 }

    var areSettingsWhole: Bool { settings?.isWhole ?? true }

    /// The version that need not be told anew; below 0 where each has to be.
    package var knownSettings: Int64 { areSettingsWhole ? settingsVersion : -1 }

    /// By which the log's past is compared with what was seen; nil until the first answer.
    var fork: Fork? {
        cursor.position.map { Fork(seen: $0, at: cursor.timestamp, isExact: cursor.isExact, recent: recent) }
    }

    /// Raised when the recent messages begin anew.
    package var generation: Int32 { recent.generation }

    package var isBusy: Bool { pending != nil }

    /// Whether no listener is here or on the way.
    package var isUnused: Bool { !isFollowed && pending?.hasListeners != true }

    /// Until when a tick has nothing to do; nil where the next one has, or nothing is under way.
    package var restsUntil: MonotonicTime? { pending?.restsUntil }

    /// The oldest of the recent messages no longer fits into memory.
    package mutating func forgetOldest(of generation: Int32) {
        recent.removeOldest(of: generation)
    }

    /// What is under way, made where there is nothing yet.
    var busy: PendingWork {
        mutating get {
            if let pending { return pending }
            let pending = PendingWork(cursor.position == nil ? .unknown(isCut: false) : .steady)
            self.pending = pending
            return pending
        }
    }

    /// Nothing is under way any more.
    mutating func finish() {
        pending = nil
    }

    /// Nobody can come back to what was delivered.
    mutating func forgetRecent() {
        recent.removeAll()
    }

    private mutating func redactRecent(_ seqs: Set<Int>) { recent.redact(seqs) }

    mutating func setFollowed(_ isFollowed: Bool) {
        self.isFollowed = isFollowed
    }
}

/// The channel and its link.
extension TrackMachine {
    package mutating func subscribed(_ conditions: TrackConditions) -> [Action] {
        isSubscribed = true
        var actions: [Action] = []
        advance(conditions, &actions)
        return actions
    }

    package mutating func linkLost() {
        isSubscribed = false
    }

    /// A link stands again.
    package mutating func linkReturned(_ conditions: TrackConditions) -> [Action] {
        var actions: [Action] = []
        advance(conditions, &actions)
        return actions
    }

    /// A message came over the channel.
    package mutating func received(_ message: RoomMessage, _ conditions: @autoclosure () -> TrackConditions) -> Receipt
    {
        if let pending, pending.holdsBack {
            pending.hold(.message(message))
            return .kept
        }
        let verdict = cursor.receive(message.position, timestamp: message.timestamp)
        switch verdict {
        case .deliver where pending?.parked.isEmpty != false:
            recent.append(message)
            return .deliver
        case .drop where fork?.isRepeat(message) != false:
            return .repeated
        case .hold:
            busy.hold(.message(message))
            return .kept
        case .deliver, .begin, .drop, .catchUp:
            var actions: [Action] = []
            follow(verdict, message, conditions(), &actions)
            return .perform(actions)
        }
    }

    /// Settings came over the channel, which tells nobody's role with them; answers how the room stands by then, roles
    /// included, nil where the followers are not to be told. They are ordered by their version alone, and wait for nothing.
    package mutating func received(_ state: RoomState) -> RoomState? {
        take(state.isClosed ? state : state.having(settings?.roles ?? [:])) ? settings : nil
    }

    private mutating func take(_ state: RoomState) -> Bool {
        guard state.version > settingsVersion else { return false }
        // Each change tells what it has changed alone; of a room that is closed there is nothing else.
        let isWhole = state.isClosed || areSettingsWhole && state.version == settingsVersion + 1
        settings = isWhole ? state : state.having(state.roles, isWhole: false)
        // Nobody is live before the first answer.
        return cursor.position != nil
    }

    /// Has the settings told anew where a change of them has not come.
    package mutating func completeSettings(_ conditions: TrackConditions) -> [Action] {
        guard !areSettingsWhole, cursor.position != nil else { return [] }
        busy.fallBehind()
        var actions = [look(busy)]
        advance(conditions, &actions)
        return actions
    }

    /// Messages have no payloads any more; answers whether the followers are to be told. Whatever of them is kept here, or
    /// comes with an answer that is under way, loses its payload too.
    package mutating func received(_ redaction: Redaction) -> Bool {
        if redaction.isPresent {
            let seqs = Set(redaction.seqs)
            redactRecent(seqs)
            pending?.redact(seqs)
        }
        // Nobody is live before the first answer.
        return cursor.position != nil
    }

    /// Something of a user's has changed and brought this version; answers how the room stands by then, nil where the
    /// followers are not to be told.
    package mutating func received(_ person: RoomPerson, version: Int64) -> RoomState? {
        guard version > settingsVersion else { return nil }
        return take((settings ?? .absent).next(version, person)) ? settings : nil
    }

    /// Steps of the roster came over the channel: each version is told once and in order, and one that was lost as a
    /// change without events. One that came without any is of a member whom Redis had lost and whom all know: only that the
    /// roster may have been read meanwhile is told, once it is whole again.
    package mutating func received(
        _ change: RosterChange, _ conditions: @autoclosure () -> TrackConditions
    ) -> RosterReceipt {
        if let pending, pending.holdsBack {
            pending.hold(.roster(change))
            return .nothing
        }
        guard let known = roster, cursor.position != nil else {
            // Nobody is live before the first answer, which may be older than this.
            if change.version > roster?.version ?? .min { roster = change.state }
            return .nothing
        }
        guard change.version > known.version else { return .nothing }
        guard !change.events.isEmpty else { return .perform(tellRosterLater(change.state, conditions())) }
        var change = change
        let steps = Int(change.version - known.version)
        // Steps that were told already go, and with a step missing in front the others would mislead.
        change.events = steps <= change.events.count ? Array(change.events.suffix(steps)) : []
        roster = change.state
        guard pending?.parked.isEmpty == false else { return .tell(change) }
        var actions = [Action.presence(change)]
        startParked(conditions(), &actions)
        return .perform(actions)
    }
}

/// How the stream goes on.
extension TrackMachine {
    /// The stream is followed from this position on; of the rosters the newer one holds.
    mutating func begin(at position: Position, _ state: RosterState?, _ settings: RoomState?, timestamp: Int64) {
        cursor.begin(at: position, timestamp: timestamp)
        if let settings, settings.version > 0, settings.version >= settingsVersion {
            self.settings = settings
        }
        roster = [state, roster].compactMap(\.self).max { $0.version < $1.version }
        guard let pending, case .unknown(let isCut) = pending.stage else { return }
        pending.stage = isCut || !areSettingsWhole ? .behind(comparesRoster: isCut) : .steady
    }

    /// A message is there: from what was held, or from the log.
    private mutating func receive(
        _ message: RoomMessage, _ conditions: TrackConditions, _ actions: inout [Action]
    ) {
        if let pending, pending.holdsBack { return pending.hold(.message(message)) }
        follow(
            cursor.receive(message.position, timestamp: message.timestamp), message, conditions, &actions)
    }

    private mutating func follow(
        _ verdict: StreamCursor.Verdict, _ message: RoomMessage, _ conditions: TrackConditions,
        _ actions: inout [Action]
    ) {
        switch verdict {
        case .deliver:
            deliver(message, conditions, &actions)
        case .begin(let position):
            actions.append(.epoch(position))
            deliver(message, conditions, &actions)
        case .drop where fork?.isRepeat(message) != false:
            actions.append(.repeated)
        case .hold:
            busy.hold(.message(message))
        case .drop:
            busy.doubt(from: message.seq)
            ask(about: message, conditions, &actions)
        case .catchUp:
            busy.fallBehind()
            ask(about: message, conditions, &actions)
        }
    }

    /// Keeps a message until the log has said what it is to what was seen.
    private mutating func ask(
        about message: RoomMessage, _ conditions: TrackConditions, _ actions: inout [Action]
    ) {
        busy.hold(.message(message))
        actions.append(look(busy))
        advance(conditions, &actions)
    }

    private mutating func deliver(
        _ message: RoomMessage, _ conditions: TrackConditions, _ actions: inout [Action]
    ) {
        recent.append(message)
        actions.append(.deliver(message))
        startParked(conditions, &actions)
    }

    private mutating func receive(
        _ change: RosterChange, _ conditions: TrackConditions, _ actions: inout [Action]
    ) {
        switch received(change, conditions) {
        case .tell(let change): actions.append(.presence(change))
        case .nothing: break
        case .perform(let found): actions += found
        }
    }

    /// Takes what was kept while the stream's place was unknown or the log was asked.
    mutating func release(_ conditions: TrackConditions, _ actions: inout [Action]) {
        guard let pending, !pending.holdsBack else { return }
        for item in pending.held.takeAll() {
            switch item {
            case .message(let message): receive(message, conditions, &actions)
            case .roster(let change): receive(change, conditions, &actions)
            }
        }
    }

    /// Something was lost, and the stream goes on behind this number of the answer's epoch.
    mutating func lose(_ answer: PositionAnswer, at seq: Int, _ actions: inout [Action]) {
        let position = Position(epoch: answer.head.epoch, seq: seq)
        cursor.begin(at: position, timestamp: answer.timestamp)
        forgetRecent()
        actions.append(.gap(position))
    }

    /// Follows what was read of the log; answers whether that has more.
    mutating func receive(
        _ answer: PositionAnswer, _ run: PendingWork.CatchUp, _ conditions: TrackConditions,
        _ actions: inout [Action]
    ) -> Bool {
        guard let seen = position?.seq, let read = answer.messages.last?.seq else { return false }
        for message in answer.messages where message.seq > seen { receive(message, conditions, &actions) }
        guard answer.more || read < answer.head.seq else { return false }
        busy.fallBehind(comparesRoster: run.comparesRoster)
        // One that was read already need not be compared once more: it may be all that one answer holds.
        if read <= seen { busy.readsBehind = seen }
        return true
    }

    /// What was read of the log up to where the stream begins serves those who come next.
    mutating func remember(_ answer: PositionAnswer, _ actions: inout [Action]) {
        guard recent.count == 0, let first = answer.messages.first, !answer.more,
            cursor.position == answer.head, answer.isWhole(after: first.seq - 1)
        else { return }
        for message in answer.messages { recent.append(message) }
        actions.append(.remember(answer.messages))
    }
}

extension RosterChange {
    /// The roster after the last event.
    package var state: RosterState { RosterState(members: members, version: version, timestamp: timestamp) }
}
