import GatewayCore

/// The users whose coming and going one loop's connections want to know of: who is told, who has asked, and how often.
///
/// Pure: it answers with whom to tell and whom nobody asks about any more. A class, so that only it writes what it keeps;
/// it belongs to its hub's event loop.
package final class WatchBoard<Watcher: Numbered> {
    /// A `watch` that has no answer yet.
    package struct Question {
        package let watcher: Watcher
        package let id: RequestID?
        package let users: [UserID]
        /// Asked for besides, and not to be watched by this connection.
        package let refused: [UserID]

        package init(watcher: Watcher, id: RequestID?, users: [UserID], refused: [UserID]) {
            self.watcher = watcher
            self.id = id
            self.users = users
            self.refused = refused
        }
    }

    /// A question that is over.
    package struct Closed {
        package let question: Question
        /// Whom nobody watches or asks about any more.
        package let idle: [UserID]
    }

    /// One user, and who is told.
    private struct Watch {
        var watchers = ConnectionList<Watcher>()
        /// Questions on their way that name the user.
        var asked = 0

        var isIdle: Bool { watchers.isEmpty && asked == 0 }
    }

    private var watches: [UserID: Watch] = [:]
    private var questions: [FollowTicket: Question] = [:]
    private var pace = StatusPace()

    package init() {}

    // MARK: Questions

    package func asked(_ question: Question, _ ticket: FollowTicket) {
        questions[ticket] = question
        for user in question.users { watches[user, default: Watch()].asked += 1 }
    }

    /// From here on the connection is told of the users it asked for, those aside that it watches no longer.
    ///
    /// - Parameter isWanted: whether the connection still watches a user; it may be gone itself.
    package func answered(_ ticket: FollowTicket, isWanted: (Watcher, UserID) -> Bool) -> Closed? {
        close(ticket) { user, question in
            if isWanted(question.watcher, user) { _ = watches[user]?.watchers.add(question.watcher) }
        }
    }

    package func failed(_ ticket: FollowTicket) -> Closed? { close(ticket) { _, _ in } }

    private func close(_ ticket: FollowTicket, _ body: (UserID, Question) -> Void) -> Closed? {
        guard let question = questions.removeValue(forKey: ticket) else { return nil }
        var idle: [UserID] = []
        for user in question.users {
            watches[user]?.asked -= 1
            body(user, question)
            if forgetIfIdle(user) { idle.append(user) }
        }
        return Closed(question: question, idle: idle)
    }

    // MARK: Watchers

    /// - Returns: whom nobody watches or asks about any more.
    package func unwatch(_ users: [UserID], by number: ConnectionNumber) -> [UserID] {
        users.filter { user in
            _ = watches[user]?.watchers.remove(number)
            return forgetIfIdle(user)
        }
    }

    /// Those of the users that a connection is not told of.
    package func unwatched(_ users: [UserID], by number: ConnectionNumber) -> [UserID] {
        users.filter { watches[$0]?.watchers.contains(number) != true }
    }

    package func watchers(of user: UserID) -> [Watcher] { watches[user]?.watchers.members ?? [] }

    private func forgetIfIdle(_ user: UserID) -> Bool {
        guard watches[user]?.isIdle == true else { return false }
        watches[user] = nil
        return true
    }

    // MARK: Statuses

    /// A user has come or gone; answers what is to be told at once, if anybody wants to know.
    package func changed(_ change: StatusChange, now: MonotonicTime) -> StatusChange? {
        guard watches[change.userId]?.watchers.isEmpty == false else { return nil }
        return pace.receive(change, now: now)
    }

    /// What is to be told by now of those who came and went too often to be told of at once; each tick.
    package func due(now: MonotonicTime) -> [StatusChange] { pace.isEmpty ? [] : pace.due(now: now) }
}
