import GatewayCore

/// What the board of watched users says is done here: the streams are asked, connections are told.
extension Hub {
    /// Asks who of the users is in one of the rooms with the connection's user, in a short task; a session has only a few
    /// under way. A room whose roster the user's role there may not read tells of nobody.
    func findSharers(_ users: [UserID], rooms: [RoomName], id: RequestID?, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard let user = connection.machine.identity?.userId else { return }
        let rooms = rooms.filter { reading(of: $0, by: connection)?.presence != false }
        guard !rooms.isEmpty else { return connection.answered(.sharersFound(id: id, users: users, sharers: [])) }
        Task { [self] in
            do throws(DirectoryError) {
                let sharers = try await presenceDirectory.sharers(of: user, in: rooms, among: users)
                enqueue(.answer(connection, .sharersFound(id: id, users: users, sharers: sharers)))
            } catch {
                enqueue(.sharersUnknown(connection, id: id, users: users, error: error))
            }
        }
    }

    /// Asks for the state of users; from the answer on the connection is told of their changes.
    func watch(_ users: [UserID], held: Int, refused: [UserID], id: RequestID?, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard !users.isEmpty else { return connection.answered(.watching(id: id, users: [], refused: refused)) }
        let ticket = tickets.next()
        watchBoard.asked(.init(watcher: connection, id: id, users: users, refused: refused), ticket)
        streams.watch(users, held: held, ticket: ticket, hub: number)
    }

    func unwatch(_ users: [UserID], for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        end(watchBoard.unwatch(users, by: connection.number))
    }

    private func end(_ idle: [UserID]) {
        for user in idle { streams.unwatch(user, hub: number) }
    }

    // MARK: Answers

    func watchAnswered(_ ticket: FollowTicket, _ statuses: [UserStatus]) {
        // A user may have been unwatched, or its watcher gone, in the meantime.
        guard let closed = watchBoard.answered(ticket, isWanted: { $0.machine.isWatching($1) }) else { return }
        end(closed.idle)
        let question = closed.question
        question.watcher.answered(.watching(id: question.id, users: statuses, refused: question.refused))
    }

    func watchFailed(_ ticket: FollowTicket, _ error: BackendError) {
        guard let closed = watchBoard.failed(ticket) else { return }
        end(closed.idle)
        let question = closed.question
        let unwatched = watchBoard.unwatched(question.users, by: question.watcher.number)
        question.watcher.answered(
            .watchFailed(id: question.id, asked: question.users.count, unwatched: unwatched, error: error))
    }

    /// Nobody knows who of the users is in a room with the connection's.
    func sharersUnknown(
        id: RequestID?, of users: [UserID], _ error: DirectoryError, for connection: SocketHandler
    ) {
        let unwatched = watchBoard.unwatched(users, by: connection.number)
        connection.answered(.sharersUnknown(id: id, users: users, unwatched: unwatched, error: error))
    }

    // MARK: Statuses

    func receive(_ change: StatusChange) {
        if let change = watchBoard.changed(change, now: now) { tell(change) }
    }

    /// Tells of those who came and went too often to be told of at once; each tick.
    func tellWaitingStatuses(now: MonotonicTime) {
        for change in watchBoard.due(now: now) { tell(change) }
    }

    private func tell(_ change: StatusChange) {
        let watchers = watchBoard.watchers(of: change.userId)
        guard !watchers.isEmpty else { return }
        let buffer = writer.frame(.status(change))
        for watcher in watchers {
            if watcher.dialect == nil { watcher.write(buffer) } else { watcher.tell(.status(change)) }
        }
    }
}
