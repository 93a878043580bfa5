/// What a session that has been let in may ask for.
extension SessionMachine {
    mutating func serve(_ request: ClientRequest) -> [Action] {
        switch request.command {
        case .auth(let token): startRefresh(token, id: request.id)
        case .ping: [.send(.pong(id: request.id))]
        case .join(let room): join(room, request)
        case .leave(let room): leave(room, request)
        case .message(let room, let msgType, let payload, let dedupe):
            publish(to: room, msgType: msgType, payload: payload, dedupe: dedupe, request)
        case .history(let room, let range): readHistory(of: room, range, id: request.id)
        }
    }

    private mutating func join(_ room: RoomName, _ request: ClientRequest) -> [Action] {
        if room.isEveryone { return [.tellPosition(id: request.id, room: room)] }
        if room.isInbox { return refuse(request.id, inboxError(room)) }
        switch rooms[room] {
        case .joined: return [.tellPosition(id: request.id, room: room)]
        case .joining: return hold(request)
        case nil: break
        }
        guard isAllowed(.join, in: room) else { return refuse(request.id, .forbidden, "the room may not be joined") }
        guard rooms.count < settings.limits.maxRooms else {
            return refuse(request.id, .forbidden, "no more than \(settings.limits.maxRooms) rooms")
        }
        rooms[room] = .joining(id: request.id)
        return [.follow(room)]
    }

    private mutating func leave(_ room: RoomName, _ request: ClientRequest) -> [Action] {
        if room.isEveryone || room.isInbox {
            return refuse(request.id, .badRequest, "roomId: a room that cannot be left")
        }
        switch rooms[room] {
        case .joining:
            return hold(request)
        case .joined:
            rooms[room] = nil
            return [.leave(room), .send(.left(id: request.id, room: room))]
        case nil:
            return [.send(.left(id: request.id, room: room))]
        }
    }

    private mutating func publish(
        to room: RoomName, msgType: Int, payload: [UInt8], dedupe: String?, _ request: ClientRequest
    ) -> [Action] {
        if room.isEveryone || room.isInbox {
            return refuse(request.id, .forbidden, "only backends write to this room")
        }
        switch rooms[room] {
        case .joining: return hold(request)
        case .joined: break
        case nil: return refuse(request.id, .notMember, "join the room first")
        }
        guard let identity, isAllowed(.publish, in: room) else {
            return refuse(request.id, .forbidden, "messages to this room are not allowed")
        }
        let publication = Publication(
            room: room, userId: identity.userId, msgType: msgType, payload: payload,
            dedupe: dedupe.map { DedupeMark(owner: .user(identity.userId), key: $0) })
        return [.publish(publication, id: request.id)]
    }

    private mutating func readHistory(of room: RoomName, _ range: HistoryRange, id: RequestID?) -> [Action] {
        if room.isInbox { return refuse(id, inboxError(room)) }
        guard isAllowed(.history, in: room) else {
            return refuse(id, .forbidden, "the room's history may not be read")
        }
        guard histories < settings.limits.maxHistories else {
            return refuse(id, .rateLimited, "no more than \(settings.limits.maxHistories) histories at once")
        }
        histories += 1
        return [.readHistory(room: room, range: range, id: id)]
    }

    // MARK: Answers

    /// The stream of a room that was asked for is there.
    mutating func joined(_ room: RoomName, at position: Position) -> [Action] {
        guard case .joining(let id) = rooms[room] else { return [] }
        // The token may have been replaced by a narrower one in the meantime.
        guard isAllowed(.join, in: room) else {
            let error = RequestError(.forbidden, "the room may not be joined")
            return [.leave(room)] + notJoined(room, error)
        }
        rooms[room] = .joined
        let waited = waiting.take(for: room)
        return [.send(.joined(id: id, room: room, position: position)), .enter(room)] + waited.flatMap { serve($0) }
    }

    /// The stream of a room that was asked for is not to be had.
    mutating func notJoined(_ room: RoomName, _ error: RequestError) -> [Action] {
        guard case .joining(let id) = rooms[room] else { return [] }
        rooms[room] = nil
        let waited = waiting.take(for: room)
        return refuse(id, error) + waited.flatMap { serve($0) }
    }

    /// What became of a `publish`.
    package func publishAnswered(
        id: RequestID?, room: RoomName, _ result: Result<Published, BackendError>
    ) -> [Action] {
        guard isLive else { return [] }
        return switch result {
        case .success(let published): [.send(.ack(id: id, room: room, published: published))]
        case .failure(let error): refuse(id, error.request)
        }
    }

    /// What became of a `readHistory`.
    package mutating func historyAnswered(
        id: RequestID?, range: HistoryRange, _ result: Result<HistoryPage, BackendError>
    ) -> [Action] {
        histories -= 1
        guard isLive else { return [] }
        switch result {
        case .success(let page):
            let cut = page.cut(toPayloadBytes: settings.limits.maxPageBytes, readFrom: range.edge)
            return [.send(.history(id: id, page: cut))]
        case .failure(let error):
            return refuse(id, error.request)
        }
    }

    /// A fresh token is good: it takes the old one's place if it names the same user.
    mutating func renew(_ fresh: Identity, id: RequestID?) -> [Action] {
        guard fresh.userId == identity?.userId else {
            return refuse(id, .forbidden, "the token is another user's")
        }
        identity = fresh
        var actions: [Action] = [.send(.authenticated(id: id, expires: fresh.expiresMilliseconds))]
        for room in rooms.keys.sorted(by: { $0.string < $1.string })
        where isMember(of: room) && !isAllowed(.join, in: room) {
            rooms[room] = nil
            actions += [.leave(room), .send(.left(id: nil, room: room))]
        }
        return actions
    }

    // MARK: Rules

    private func isAllowed(_ action: RoomAction, in room: RoomName) -> Bool {
        guard let identity else { return false }
        return settings.rules.allows(action, in: room, for: identity)
    }

    private func inboxError(_ room: RoomName) -> RequestError {
        if let identity, room == RoomName(inboxOf: identity.userId) {
            return RequestError(.badRequest, "roomId: inboxes: not yet")
        }
        return RequestError(.forbidden, "another user's inbox")
    }

    private mutating func hold(_ request: ClientRequest) -> [Action] {
        guard waiting.hold(request, limits: settings.limits) else {
            return refuse(request.id, .rateLimited, "too many requests wait for the room")
        }
        return []
    }

    private func refuse(_ id: RequestID?, _ code: ErrorCode, _ message: String) -> [Action] {
        refuse(id, RequestError(code, message))
    }

    private func refuse(_ id: RequestID?, _ error: RequestError) -> [Action] {
        [.send(.error(id: id, error: error))]
    }
}
