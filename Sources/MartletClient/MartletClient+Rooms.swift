import GatewayCore
import NIOCore

/// Rooms that are held.
extension MartletClient {
    /// A handle of a room, which is joined now or as soon as there is a connection, and again after each outage, for as
    /// long as the handle is kept. Several may hold the same room.
    ///
    /// The client has to be started, by `connect()` or `run()`, before or after. The user's inbox (`@user`) and everyone
    /// (`*`) are rooms in this sense.
    /// - Parameter since: what was seen of the room before, perhaps by an earlier process: what was missed since then
    ///   comes first, after a `gap` where some of it is lost. Of no meaning where the room is held already.
    /// - Parameter last: without `since`, 1 to 100: so many of the newest messages come first, or as many as the log holds.
    /// - Throws: `invalid` where it is not the name of a room, or `last` is another number.
    public func room(_ id: String, since: Position? = nil, last: Int? = nil) throws(Failure) -> Room {
        let room = Room(try name(id), of: self)
        let start = try MartletClient.start(since, last)
        state.withLock { state in
            var wish = state.wishes[id] ?? Wish(room: room.name)
            let isNew = wish.handles.isEmpty
            if isNew { wish.since = start }
            wish.handles[ObjectIdentifier(room.readers)] = room.readers
            if isNew {
                if state.isThere(room.name), wish.since == nil {
                    wish.wasJoined = true
                } else {
                    state.roomsToRejoin.append(room.name)
                }
            }
            state.wishes[id] = wish
        }
        rejoin()
        return room
    }

    func state(of room: Room) -> Room.State {
        state.withLock { state in
            if room.readers.isLeft { return .refused(.closed) }
            if let end = state.end { return .refused(end) }
            if let refusal = state.wishes[room.id]?.refusal { return .refused(refusal) }
            return state.isThere(room.name) ? .joined : .joining
        }
    }

    func joined(_ room: Room) async throws(Failure) {
        while true {
            switch room.state {
            case .joined: return
            case .refused(let failure): throw failure
            case .joining: break
            }
            let isMoved: Void? = await roomsMoved.wait { if case .joining = room.state { nil } else { () } }
            if isMoved == nil { throw .cancelled }
        }
    }

    // MARK: The end of a handle

    /// Nobody holds this handle any more.
    func release(_ room: RoomName, _ readers: RoomReaders) {
        let link = state.withLock { state in
            state.wishes[room.string]?.handles[ObjectIdentifier(readers)] = nil
            return state.link
        }
        guard let link else { return drop(room) }
        // Somebody else may take the room over meanwhile.
        link.eventLoop.execute { [weak self] in self?.drop(room) }
    }

    /// Leaves the room unless somebody holds it.
    private func drop(_ room: RoomName) {
        if takeBack(room) { send(.leave(room: room), for: .nobody) }
    }

    func leave(_ room: RoomName, _ readers: RoomReaders) async {
        state.withLock { $0.wishes[room.string]?.handles[ObjectIdentifier(readers)] = nil }
        roomsMoved.resumeAll(())
        // What goes wrong with it ends with the connection, on whose successor the room is not asked for.
        if takeBack(room) { _ = try? await ask(.leave(room: room)) }
    }

    /// Forgets a wish that nobody has; answers whether the gateway is to be told.
    private func takeBack(_ room: RoomName) -> Bool {
        let (isThere, waiting) = state.withLock { state -> (Bool, [ClientState.Pending]) in
            guard state.wishes[room.string]?.handles.isEmpty == true else { return (false, []) }
            state.wishes[room.string] = nil
            guard !room.isInbox, !room.isEveryone else { return (false, []) }
            state.roomsToRejoin.removeAll { $0 == room }
            let isThere = state.isThere(room)
            state.streams.unwanted(room)
            return (isThere, isThere ? [] : state.removeWaiting(for: room))
        }
        fail(waiting, with: .disconnected)
        return isThere
    }

    // MARK: What is told

    /// The room is joined on this connection.
    func isThere(_ room: RoomName) {
        let action = state.withLock { state -> Roster.Action in
            guard var wish = state.wishes[room.string] else { return .nothing }
            defer { state.wishes[room.string] = wish }
            if wish.wasJoined { wish.tell(Room.Change.gap) }
            wish.wasJoined = true
            wish.refusal = nil
            return wish.hasMemberReaders ? wish.roster.begin() : .nothing
        }
        act(action, in: room)
        roomsMoved.resumeAll(())
    }

    /// The room will not be joined on this connection.
    func isRefused(_ room: RoomName, for failure: Failure) {
        state.withLock { state in
            guard state.wishes[room.string] != nil else { return }
            state.wishes[room.string]?.refusal = failure
            state.wishes[room.string]?.roster.forget()
            state.wishes[room.string]?.finish()
        }
        roomsMoved.resumeAll(())
    }

    /// Asks once more for the rooms that were refused, since another token may allow them.
    func askAgain() {
        state.withLock { $0.reviveWishes() }
        rejoin()
    }

    func tellRoom(_ event: Event) {
        switch event {
        case .message(let message):
            state.withLock { $0.wishes[message.room]?.tell(.message(message)) }
        case .gap(let room, let position): state.withLock { $0.wishes[room]?.tell(.gap(after: position)) }
        case .presence(let presence): tellPresence(presence)
        case .room(let change): state.withLock { $0.wishes[change.room]?.tell(change) }
        case .connected, .disconnected, .rejoined, .rejoinFailed, .epoch, .redacted, .invited, .status, .signal,
            .reconnect, .error:
            break
        }
    }

    private func tellPresence(_ presence: Presence) {
        let (room, action) = state.withLock { state -> (RoomName?, Roster.Action) in
            guard var wish = state.wishes[presence.room] else { return (nil, .nothing) }
            defer { state.wishes[presence.room] = wish }
            let isUnseen = presence.steps.isEmpty && presence.from == nil
            wish.tell(isUnseen ? .gap : Room.Change.presence(presence))
            let action = wish.hasMemberReaders ? wish.roster.received(presence) : .nothing
            if action == .tell { wish.tellMembers() }
            return (wish.room, action)
        }
        if let room { act(action, in: room) }
    }

    // MARK: Rosters

    /// Somebody begins to read who is in the room.
    func readRoster(for room: Room, _ reader: Reader<[Member]>) {
        let action = state.withLock { state -> Roster.Action in
            guard var wish = state.wishes[room.id], state.isThere(room.name) else { return .nothing }
            defer { state.wishes[room.id] = wish }
            if let members = wish.roster.members { reader.append(members) }
            return wish.roster.isBegun ? .nothing : wish.roster.begin()
        }
        act(action, in: room.name)
    }

    private func act(_ action: Roster.Action, in room: RoomName) {
        guard case .ask(let cursor, let round) = action else { return }
        send(.members(room: room, limit: 1000, cursor: cursor), for: .roster(room, round: round))
    }

    func read(_ room: RoomName, round: Int, with result: Result<ServerEvent, Failure>) {
        switch result {
        case .success(.members(_, let room, let page)):
            let action = state.withLock { state -> Roster.Action in
                guard var wish = state.wishes[room.string] else { return .nothing }
                defer { state.wishes[room.string] = wish }
                // Nobody reads it any more: it is read again when somebody does.
                guard wish.hasMemberReaders else {
                    wish.roster.forget()
                    return .nothing
                }
                let action = wish.roster.received(MemberPage(room, page), round: round)
                if action == .tell { wish.tellMembers() }
                return action
            }
            act(action, in: room)
        case .failure(let failure) where failure.isPassing:
            onceMore(after: failure.retryAfter) { client in
                let action = client.state.withLock { state -> Roster.Action in
                    guard state.wishes[room.string]?.roster.isCurrent(round) == true else { return .nothing }
                    return state.wishes[room.string]?.roster.begin() ?? .nothing
                }
                client.act(action, in: room)
            }
        // Where presence is off or forbidden there is no list; after a loss the next join has it read.
        case .success, .failure: state.withLock { $0.forgetRoster(of: room, round: round) }
        }
    }
}

extension MartletClient.Failure {
    /// Whether the same may be asked again on this connection; of a code that is not known the gateway says so.
    var isPassing: Bool {
        switch self {
        case .refused(let code, _, let wait): ["rate_limited", "unavailable", "conflict"].contains(code) || wait != nil
        case .timedOut: true
        case .notConnected, .disconnected, .tooManyPending, .invalid, .stopped, .closed, .cancelled: false
        }
    }

    var retryAfter: Duration? { if case .refused(_, _, let wait) = self { wait } else { nil } }
}
