/// What a session brings back after a break.
extension SessionMachine {
    /// Rooms that wait for a position, then the answers of their streams until `resumed` can be told.
    final class Resumption: Sendable {
        enum Stage: Sendable {
            /// Nothing of the rooms is sent before this moment, unless `resume` or `join` comes.
            case awaiting(until: MonotonicTime)
            /// The moment has passed: the rooms go on, and a `resume` that still comes repeats what was missed.
            case late
            case gathering(Gathering)
        }

        /// Rooms that the session held and the user may not be in any more.
        let forbidden: [RoomName]
        let stage: Stage

        init(forbidden: [RoomName], stage: Stage) {
            self.forbidden = forbidden
            self.stage = stage
        }
    }

    /// A `resume` whose streams have been asked for.
    struct Gathering: Sendable {
        let id: RequestID?
        /// Whether a room is one that the client named.
        let named: Set<RoomName>
        /// Rooms whose streams have not answered, or that the backend is asked about.
        var missing: Set<RoomName>
        var answers: [RoomName: Result<StreamStart, RequestError>] = [:]
        /// Rooms that were not asked for.
        var refused: [RoomName: ErrorCode]
        /// Until when the others wait for rooms that the backend is asked about; nil where none are, or that is over.
        var heldUntil: MonotonicTime?
    }

    /// - Parameter since: what the client has seen of the rooms; rooms that wait and are not named go on from now.
    mutating func resume(_ since: [RoomName: ClientPosition], _ request: ClientRequest) -> [Action] {
        guard let resumption else {
            return refuse(request.id, .conflict, "no session was resumed, or it has gone on already: join with since")
        }
        var heldUntil: MonotonicTime?
        switch resumption.stage {
        case .awaiting(let until): heldUntil = until
        case .late: break
        case .gathering: return refuse(request.id, .conflict, "resume has come before")
        }
        let named = Set(since.keys)
        var refused: [RoomName: ErrorCode] = [:]
        for room in resumption.forbidden { refused[room] = .forbidden }
        var asked: [RoomName] = []
        for room in named.union(awaitingRooms).union(heldRooms) {
            switch membership(of: room) {
            case .awaiting, .joined: asked.append(room)
            case .joining(let joining) where joining.waitsForPosition: asked.append(room)
            case .joining: refused[room] = .conflict
            case nil: refused[room] = refused[room] ?? (isAllowed(.join, in: room) ? .notMember : .forbidden)
            }
        }
        var gathering = Gathering(
            id: request.id, named: named, missing: Set(asked), refused: refused)
        if asked.contains(where: { isHeld($0) }) { gathering.heldUntil = heldUntil }
        guard !asked.isEmpty else { return finish(gathering) }
        self.resumption = Resumption(forbidden: [], stage: .gathering(gathering))
        return asked.sorted { $0.string < $1.string }.flatMap { room in
            var joining = Joining(id: nil, since: since[room], origin: .resumed)
            guard case .joining(let held) = membership(of: room) else { return follow(room, joining) }
            joining.inquiry = held.inquiry
            rooms[room] = .joining(joining)
            return []
        }
    }

    private var awaitingRooms: [RoomName] {
        var waiting: [RoomName] = []
        for (room, membership) in rooms {
            if case .awaiting = membership { waiting.append(room) }
        }
        if case .awaiting = everyone { waiting.append(.everyone) }
        if case .awaiting = inbox, let identity { waiting.append(RoomName(inboxOf: identity.userId)) }
        return waiting
    }

    /// Whether nothing is asked of the room before the backend's word.
    private func isHeld(_ room: RoomName) -> Bool {
        guard case .joining(let joining) = membership(of: room) else { return false }
        return joining.inquiry > 0
    }

    /// Rooms that wait for a position, and for the backend's word before.
    private var heldRooms: [RoomName] {
        rooms.keys.filter { room in
            if case .joining(let joining) = rooms[room] { joining.waitsForPosition } else { false }
        }
    }

    /// Nobody said where the rooms are to go on: they go on from now. Or the backend takes long, and the others have waited
    /// for its word long enough.
    mutating func releaseAwaiting() -> [Action] {
        guard let resumption else { return [] }
        if case .gathering = resumption.stage { return releaseHeld() }
        self.resumption = Resumption(forbidden: resumption.forbidden, stage: .late)
        return awaitingRooms.sorted { $0.string < $1.string }.flatMap { room in
            follow(room, Joining(id: nil, since: nil, origin: .silent))
        }
    }

    /// Rooms of which the backend has not said whether they may be joined are told as unavailable, and come when it does.
    private mutating func releaseHeld() -> [Action] {
        guard var gathering = takeGathering() else { return [] }
        gathering.heldUntil = nil
        let held = gathering.missing.filter { isHeld($0) }.sorted { $0.string < $1.string }
        resumption = Resumption(forbidden: [], stage: .gathering(gathering))
        return held.flatMap { gathered($0, .failure(Denial.unavailable)) }
    }

    /// The backend has let one in that was being told as unavailable: there is time for its stream. False for one that the
    /// client was put out of meanwhile: that stands.
    mutating func waitAgain(for room: RoomName) -> Bool {
        guard var gathering = takeGathering() else { return true }
        guard gathering.answers[room]?.isForbidden != true else {
            resumption = Resumption(forbidden: [], stage: .gathering(gathering))
            return false
        }
        gathering.answers[room] = nil
        gathering.missing.insert(room)
        resumption = Resumption(forbidden: [], stage: .gathering(gathering))
        return true
    }

    // MARK: Answers

    /// One stream of `resume` has answered.
    mutating func gathered(_ room: RoomName, _ answer: Result<StreamStart, RequestError>) -> [Action] {
        guard var gathering = takeGathering() else { return [] }
        let isMissing = gathering.missing.remove(room) != nil
        // Who is put out meanwhile does not come in by what was answered before.
        guard isMissing || answer.isForbidden && gathering.answers[room] != nil else {
            self.resumption = Resumption(forbidden: [], stage: .gathering(gathering))
            return []
        }
        gathering.answers[room] = answer
        guard gathering.missing.isEmpty else {
            self.resumption = Resumption(forbidden: [], stage: .gathering(gathering))
            return []
        }
        return finish(gathering)
    }

    /// Takes it out, so that a change of it copies nothing: there can be a thousand rooms.
    private mutating func takeGathering() -> Gathering? {
        guard case .gathering(let gathering) = resumption?.stage else { return nil }
        resumption = nil
        return gathering
    }

    /// All have answered: one frame tells of all rooms, then each goes on.
    private mutating func finish(_ gathering: Gathering) -> [Action] {
        resumption = nil
        var told: [ResumedRoom] = gathering.refused.map { ResumedRoom(room: $0.key, outcome: .refused($0.value)) }
        var entering: [Action] = []
        let rooms = gathering.answers.keys.sorted { $0.string < $1.string }
        for room in rooms {
            guard case .joining(let joining) = membership(of: room), case .resumed = joining.origin,
                let answer = gathering.answers[room]
            else { continue }
            let (outcome, actions) = resolve(room, answer, joining)
            entering += actions
            // The streams that every connection is in by itself are answered where they were asked for.
            if gathering.named.contains(room) || !(room.isEveryone || room.isInbox) {
                var entry = ResumedRoom(room: room, outcome: outcome)
                if case .joined = outcome, case .success(let start) = answer {
                    entry.isArchiveAway = start.isArchiveAway
                }
                told.append(entry)
            }
        }
        told.sort { $0.room.string < $1.room.string }
        return [.send(.resumed(id: gathering.id, rooms: told))] + entering + rooms.flatMap { serveWaiting(for: $0) }
    }

    private mutating func resolve(
        _ room: RoomName, _ answer: Result<StreamStart, RequestError>, _ joining: Joining
    ) -> (ResumedRoom.Outcome, [Action]) {
        // The token may have been replaced by a narrower one in the meantime.
        guard isAllowed(.join, in: room) else { return (.refused(.forbidden), drop(room)) }
        switch answer {
        case .success(let start):
            setMembership(of: room, .joined)
            let actions = notices(of: room, start) + [.enter(room, .start(start))]
            let recovered = start.recovered && !joining.isCut
            return (.joined(position: start.position, recovered: recovered), actions)
        // The user was put out of it.
        case .failure(let error) where error.code == .forbidden: return (.refused(.forbidden), drop(room))
        case .failure(let error) where joining.inquiry > 0:
            var held = joining
            held.origin = .late
            rooms[room] = .joining(held)
            return (.refused(error.code), [])
        case .failure(let error):
            return (.refused(error.code), goOnLater(room, from: joining.since))
        }
    }
}

extension Result where Failure == RequestError {
    fileprivate var isForbidden: Bool {
        if case .failure(let error) = self { error.code == .forbidden } else { false }
    }
}

extension SessionMachine.Resumption {
    /// When the rooms stop waiting.
    var deadline: MonotonicTime? {
        switch stage {
        case .awaiting(let until): until
        case .gathering(let gathering): gathering.heldUntil
        case .late: nil
        }
    }
}
