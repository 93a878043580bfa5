/// The limit on how often the watchers of a user are told whether it is online, so that one who comes and goes without
/// end costs them little: two changes at once, four a second in all. What is told late is how it is then.
package struct StatusPace: Sendable {
    private struct Told: Equatable {
        let isOnline: Bool
        let state: UserState?

        init(_ change: StatusChange) {
            isOnline = change.isOnline
            state = change.state
        }
    }

    private struct Waiting {
        var change: StatusChange
        /// What was told last.
        let told: Told
    }

    private var pace = RosterPace()
    private var told: [UserID: Told] = [:]
    private var waiting: [UserID: Waiting] = [:]

    package init() {}

    /// Whether nobody was told of lately.
    package var isEmpty: Bool { told.isEmpty }

    /// A user has come or gone; answers what is to be told at once.
    package mutating func receive(_ change: StatusChange, now: MonotonicTime) -> StatusChange? {
        let user = change.userId
        if waiting[user] != nil {
            waiting[user]?.change = change
            return nil
        }
        if let last = told[user], !pace.allowsAtOnce(user, now: now) {
            waiting[user] = Waiting(change: change, told: last)
            return nil
        }
        return tell(change, now: now)
    }

    /// What is to be told by now of those who had to wait.
    package mutating func due(now: MonotonicTime) -> [StatusChange] {
        var changes: [StatusChange] = []
        for (user, one) in waiting where pace.allows(user, now: now) {
            waiting[user] = nil
            if Told(one.change) != one.told { changes.append(tell(one.change, now: now)) }
        }
        pace.forget(now: now)
        told = told.filter { waiting[$0.key] != nil || !pace.isForgotten($0.key) }
        return changes
    }

    private mutating func tell(_ change: StatusChange, now: MonotonicTime) -> StatusChange {
        told[change.userId] = Told(change)
        pace.told(change.userId, now: now)
        return change
    }
}
