import GatewayCore

/// The users whose coming and going this loop's connections want to know of.
extension Hub {
    /// One user, and who is told.
    struct Watch {
        var watchers = ConnectionList()
        /// Questions on their way that name the user.
        var asked = 0

        var isIdle: Bool { watchers.isEmpty && asked == 0 }
    }

    /// A `watch` that has no answer yet.
    struct WatchQuestion {
        let connection: SocketHandler
        let id: RequestID?
        let users: [UserID]
        /// Asked for besides, and not to be watched by this connection.
        let refused: [UserID]
    }

    /// Asks who of the users is in one of the rooms with the connection's user, in a short task; a session has only a few
    /// under way.
    func findSharers(_ users: [UserID], rooms: [RoomName], id: RequestID?, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard let user = connection.machine.identity?.userId else { return }
        Task { [self] in
            do throws(DirectoryError) {
                let sharers = try await presenceDirectory.sharers(of: user, in: rooms, among: users)
                post(.answer(connection, .sharersFound(id: id, users: users, sharers: sharers)))
            } catch {
                post(.sharersUnknown(connection, id: id, users: users, error: error))
            }
        }
    }

    /// Asks for the state of users; from the answer on the connection is told of their changes.
    func watch(_ users: [UserID], held: Int, refused: [UserID], id: RequestID?, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard !users.isEmpty else { return connection.answered(.watching(id: id, users: [], refused: refused)) }
        nextTicket += 1
        watchQuestions[nextTicket] = WatchQuestion(connection: connection, id: id, users: users, refused: refused)
        for user in users { watched[user, default: Watch()].asked += 1 }
        streams.watch(users, held: held, ticket: nextTicket, hub: number)
    }

    func unwatch(_ users: [UserID], for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        for user in users {
            _ = watched[user]?.watchers.remove(connection.number)
            endIfIdle(user)
        }
    }

    private func endIfIdle(_ user: UserID) {
        guard watched[user]?.isIdle == true else { return }
        watched[user] = nil
        streams.unwatch(user, hub: number)
    }

    // MARK: Answers

    func watchAnswered(_ ticket: FollowTicket, _ statuses: [UserStatus]) {
        guard let question = watchQuestions.removeValue(forKey: ticket) else { return }
        let connection = question.connection
        for user in question.users {
            watched[user]?.asked -= 1
            // It may have been unwatched, or its watcher gone, in the meantime.
            if connection.machine.isWatching(user) { _ = watched[user]?.watchers.add(connection) }
            endIfIdle(user)
        }
        connection.answered(.watching(id: question.id, users: statuses, refused: question.refused))
    }

    /// Nobody knows who of the users is in a room with the connection's.
    func sharersUnknown(
        id: RequestID?, of users: [UserID], _ error: DirectoryError, for connection: SocketHandler
    ) {
        let unwatched = users.filter { !isWatched($0, by: connection) }
        connection.answered(.sharersUnknown(id: id, users: users, unwatched: unwatched, error: error))
    }

    private func isWatched(_ user: UserID, by connection: SocketHandler) -> Bool {
        watched[user]?.watchers.contains(connection.number) ?? false
    }

    func watchFailed(_ ticket: FollowTicket, _ error: BackendError) {
        guard let question = watchQuestions.removeValue(forKey: ticket) else { return }
        let unwatched = question.users.filter { !isWatched($0, by: question.connection) }
        for user in question.users {
            watched[user]?.asked -= 1
            endIfIdle(user)
        }
        question.connection.answered(
            .watchFailed(id: question.id, asked: question.users.count, unwatched: unwatched, error: error))
    }

    func take(_ change: StatusChange) {
        guard watched[change.userId]?.watchers.isEmpty == false else { return }
        if let change = statusPace.take(change, now: now) { tell(change) }
    }

    /// Tells of those who came and went too often to be told of at once; each tick.
    func tellWaitingStatuses(now: MonotonicTime) {
        guard !statusPace.isEmpty else { return }
        for change in statusPace.due(now: now) { tell(change) }
    }

    private func tell(_ change: StatusChange) {
        guard let watch = watched[change.userId] else { return }
        let buffer = frame(.status(change))
        for watcher in watch.watchers.members { watcher.write(buffer) }
    }
}
