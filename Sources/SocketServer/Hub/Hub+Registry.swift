import GatewayCore

/// What the registry is asked for connections of this loop, and told of them.
extension Hub {
    /// A connection that wants to go on with an earlier session.
    struct Resumer {
        let connection: SocketHandler
        let session: String
    }

    /// Those that come back to a session wait where Redis has too much to do for it; those of a user who has spent too
    /// much are closed.
    func register(_ connection: SocketHandler, resuming session: String?) {
        guard let identity = connection.machine.identity else { return }
        if let wait = budgets.wait(for: identity.userId, now: now), wait > ConnectionBudget.longestWait {
            return connection.close(.tooManyRequests, text: CloseReason.tooManyRequests.text)
        }
        guard let session else { return connect(connection, identity, resuming: nil) }
        resumptions.add(Resumer(connection: connection, session: session))
        beginResumptions()
    }

    /// One that went on with a session, or could not, has its answer.
    func resumptionEnded() {
        resumptions.ended()
        beginResumptions()
    }

    /// Begins with as many as there is room for, and with one at least, whatever others owe; each tick looks again.
    func beginResumptions() {
        guard !resumptions.isEmpty else { return }
        let isInDebt = budgets.nodeWait(now: now) != nil
        while !isInDebt || resumptions.isIdle, let next = resumptions.next() {
            guard next.connection.isOpen, let identity = next.connection.machine.identity else {
                resumptions.ended()
                continue
            }
            let resumption = SessionResumption(session: next.session, info: identity.shownInfo) { [settings] room in
                settings.rules.allows(.join, in: room, for: identity)
            }
            connect(next.connection, identity, resuming: resumption)
        }
    }

    private func connect(_ connection: SocketHandler, _ identity: Identity, resuming resumption: SessionResumption?) {
        connection.spend(Prices.connection, now: now)
        let entry = PresenceConnection(
            id: connection.id.description, userId: identity.userId, address: connection.address?.description ?? "",
            issuedAt: identity.issuedAt, dialect: connection.spoken)
        let work: QueuedWork? = resumption == nil ? nil : .resumption
        presence.connect(entry, resuming: resumption) { [self] result in
            if case .success(let registration) = result { metrics.came(to: registration) }
            enqueue(.answer(connection, .registered(result: result), ends: work))
        }
    }

    func confirm(_ identity: Identity, for connection: SocketHandler) {
        presence.admits(identity.userId, issuedAt: identity.issuedAt) { [self] clearance in
            enqueue(.answer(connection, .confirmed(clearance: clearance)))
        }
    }

    func enroll(_ connection: SocketHandler, _ enrollment: Enrollment, info: [UInt8]) {
        presence.join(enrollment.room, connection: connection.id.description, info: info) { [self] result in
            enqueue(.answer(connection, .enrolled(enrollment, result: result)))
        }
    }

    func show(_ info: [UInt8], in rooms: [RoomName], id: RequestID?, of connection: SocketHandler) {
        presence.show(info, in: rooms, connection: connection.id.description) { [self] result in
            enqueue(.answer(connection, .shown(id: id, result: result)))
        }
    }

    func carryOut(_ order: RoomOrder, id: RequestID?, from connection: SocketHandler) {
        guard let user = connection.machine.identity?.userId else { return }
        var order = order
        order.author = RoomOrder.Author(user: user, connection: connection.id.description)
        governor.carryOut(order) { [self, room = order.room] result in
            enqueue(.answer(connection, .ordered(id: id, room: room, result: result)))
        }
    }

    func redact(_ seq: Int, of epoch: String?, in room: RoomName, id: RequestID?, from connection: SocketHandler) {
        guard let user = connection.machine.identity?.userId else { return }
        let author = RoomOrder.Author(user: user, connection: connection.id.description)
        governor.redact(RedactionOrder(room: room, seq: seq, epoch: epoch, by: author)) { [self] result in
            enqueue(.answer(connection, .ordered(id: id, room: room, result: result)))
        }
    }

    func setState(_ state: UserState, id: RequestID?, of connection: SocketHandler) {
        presence.setState(state, connection: connection.id.description) { [self] result in
            enqueue(.answer(connection, .shown(id: id, result: result)))
        }
    }

    func signal(_ signal: Signal, id: RequestID?, from connection: SocketHandler) {
        presence.signal(signal, connection: connection.id.description) { [self] result in
            enqueue(.answer(connection, .signalled(id: id, result: result)))
        }
    }

    /// Reads a page of members in a short task; a session has only a few under way.
    func readMembers(of room: RoomName, limit: Int, cursor: String?, id: RequestID?, for connection: SocketHandler) {
        Task { [self] in
            do throws(DirectoryError) {
                let page = try await members(of: room, limit: limit, cursor: cursor)
                enqueue(.answer(connection, .members(id: id, room: room, result: .success(page)), ends: .pageRead))
            } catch {
                enqueue(.answer(connection, .members(id: id, room: room, result: .failure(error)), ends: .pageRead))
            }
        }
    }

    /// As many members as fit into a frame, one at least: a cursor is the directory's, so a page cannot be cut here.
    private func members(
        of room: RoomName, limit: Int, cursor: String?
    ) async throws(DirectoryError) -> MemberPage {
        var limit = limit
        while true {
            let page = try await presenceDirectory.members(of: room, limit: limit, cursor: cursor)
            let bytes = page.members.reduce(0) { $0 + $1.info.count + 2 * $1.userId.string.utf8.count + 64 }
            let count = min(limit, page.members.count)
            guard bytes > settings.limits.maxPageBytes, count > 1 else { return page }
            limit = max(1, min(count - 1, count * settings.limits.maxPageBytes / bytes))
        }
    }
}
