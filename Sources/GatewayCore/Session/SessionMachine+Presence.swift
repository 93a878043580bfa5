/// Who is there: rosters, watched users, and signals from one member to another.
extension SessionMachine {
    /// Whether the client may be told who is in a room, comes and goes.
    package func seesPresence(in room: RoomName) -> Bool {
        switch settings.rules.presence(of: room) {
        case .full: isAllowed(.presence, in: room)
        case .off: false
        }
    }

    /// The same for one of many members: `ruled` is what `SessionSettings.showsPresence` says of the room.
    package func seesPresence(in room: RoomName, ruled: Bool) -> Bool {
        guard let identity else { return false }
        guard let rights = identity.rights else { return ruled }
        return rights.allows(.presence, in: room)
    }

    /// A roster that changed, or may have, while nobody told this client.
    func rosterNotice(of room: RoomName, _ start: StreamStart) -> [Action] {
        guard let roster = start.roster, seesPresence(in: room), start.reading?.presence != false else { return [] }
        let change = RosterChange(
            room: room, events: [], members: roster.members, version: roster.version, timestamp: roster.timestamp)
        return [.send(.presence(change))]
    }

    /// What the client may not know of a room that goes on: its roster and its settings.
    func notices(of room: RoomName, _ start: StreamStart) -> [Action] {
        let roster = rosterNotice(of: room, start)
        guard let settings = start.settings else { return roster }
        var change = RoomChange(room: room, now: settings)
        change.role = start.reading?.role
        return roster + [.send(.room(change))]
    }

    mutating func readMembers(
        of room: RoomName, limit: Int, cursor: String?, _ request: ClientRequest
    ) -> [Action] {
        guard seesPresence(in: room) else {
            return refuse(request.id, .forbidden, "the room's members may not be listed")
        }
        if let answer = keepOut(request, for: .presence, in: room) { return answer }
        guard reads < settings.limits.maxReads else { return holdRead(request) }
        reads += 1
        return [.readMembers(room: room, limit: limit, cursor: cursor, id: request.id)]
    }

    /// What became of a `readMembers`.
    mutating func membersRead(
        id: RequestID?, room: RoomName, _ result: Result<MemberPage, DirectoryError>
    ) -> [Action] {
        guard isLive else { return [] }
        switch result {
        case .success(let page):
            return [.sendPage(.members(id: id, room: room, page: page))]
        case .failure(let error):
            return refuse(id, error.request) + readEnded()
        }
    }

    // MARK: What is shown of the user

    mutating func show(_ info: [UInt8], in room: RoomName, _ request: ClientRequest) -> [Action] {
        switch rooms[room] {
        case .joining: return hold(request)
        case .joined, .awaiting: break
        case nil: return refuse(request.id, .notMember, "join the room first")
        }
        switch settings.rules.presence(of: room) {
        case .full: return [.show(info, rooms: [room], id: request.id)]
        case .off: return refuse(request.id, .forbidden, "the room keeps no presence")
        }
    }

    /// In all rooms that the connection is in, and in those that it joins until another token comes.
    mutating func showEverywhere(_ info: [UInt8], _ request: ClientRequest) -> [Action] {
        if isEnteringRooms { return hold(request) }
        identity?.info = info
        let shown = rooms.keys.filter { settings.rules.presence(of: $0) == .full }
        return shown.isEmpty
            ? [.send(.acknowledged(id: request.id))] : [.show(info, rooms: shown, id: request.id)]
    }

    /// What became of something that is answered by `ack` alone.
    func acknowledged(id: RequestID?, _ result: Result<Void, BackendError>) -> [Action] {
        guard isLive else { return [] }
        return switch result {
        case .success: [.send(.acknowledged(id: id))]
        case .failure(let error): refuse(id, error.request)
        }
    }

    // MARK: Signals

    mutating func signal(
        to user: UserID, in room: RoomName, _ payload: [UInt8], _ request: ClientRequest
    ) -> [Action] {
        switch rooms[room] {
        case .joining: return hold(request)
        case .joined, .awaiting: break
        case nil: return refuse(request.id, SignalError.notMember.request)
        }
        guard let identity else { return [] }
        guard settings.rules.presence(of: room) == .full else {
            return refuse(request.id, .forbidden, "the room keeps no presence, by which signals find whom they are for")
        }
        // What one member sends to another is a message like any: who may only listen sends none.
        guard isAllowed(.publish, in: room) else {
            return refuse(request.id, .forbidden, "you may not publish in this room, nor signal")
        }
        let signal = Signal(room: room, from: identity.userId, to: user, payload: payload)
        return [.signal(signal, id: request.id)]
    }

    /// What became of a `signal`.
    func signalled(id: RequestID?, _ result: Result<Void, SignalError>) -> [Action] {
        guard isLive else { return [] }
        return switch result {
        case .success: [.send(.acknowledged(id: id))]
        case .failure(let error): refuse(id, error.request)
        }
    }
}
