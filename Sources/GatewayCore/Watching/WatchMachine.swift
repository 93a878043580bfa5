/// Follows users' states for the hubs of a node: the channel of each first, then what Redis holds, so that nothing lies
/// between the two.
///
/// It knows neither Redis nor time: whoever has it tells what the channels bring, what Redis answers and which time it
/// is, and performs what it is answered, in order.
package struct WatchMachine: ~Copyable {
    package struct Settings: Sendable {
        /// Users watched by all hubs together, and for a while after.
        package var maxWatched: Int
        /// How long a hub waits for Redis.
        package var followTimeout: Duration = .seconds(5)
        /// How long a user is followed after the last watcher has gone.
        package var lingering: Duration = .seconds(2)
        /// How long a Redis that was set back is not believed what speaks against what was told before: the nodes register
        /// with it again meanwhile, and what is left of the dead is taken away.
        package var setBackGrace: Duration
        /// How often it is asked about such a user.
        package var setBackPace: Duration = .milliseconds(500)

        package init(maxWatched: Int, setBackGrace: Duration) {
            self.maxWatched = maxWatched
            self.setBackGrace = setBackGrace
        }
    }

    package enum Action {
        case subscribe([UserID])
        case unsubscribe([UserID])
        /// Somebody is to be asked about at the end of the turn: `takeUnread`.
        case read
        /// The user is to be asked about after a while: `askAgain`.
        case askLater(WatchedUser, Duration)
        case tell(StatusChange, HubSet)
        case answer(FollowTicket, HubNumber, [UserStatus])
        case fail(FollowTicket, HubNumber, BackendError)
    }

    /// Users who are asked about together.
    package struct Question: Sendable {
        package let users: [WatchedUser]
        /// How often the subscriptions had been lost when it was asked.
        package let breaks: Int

        package init(users: [WatchedUser], breaks: Int) {
            self.users = users
            self.breaks = breaks
        }
    }

    private let settings: Settings
    private var byUser: [UserID: WatchedUser] = [:]
    /// Not answered yet, the oldest first.
    private var requests: [WatchRequest] = []
    /// To be asked about.
    private var unread: [WatchedUser] = []
    /// Nobody watches them any more, or did not for a while.
    private var idle: [WatchedUser] = []

    package init(_ settings: Settings) {
        self.settings = settings
    }

    /// Whether something waits for time to pass: then it is to be ticked.
    package var isWaiting: Bool { !requests.isEmpty || !unread.isEmpty || !idle.isEmpty }

    /// Whether somebody is to be asked about.
    package var hasUnread: Bool { !unread.isEmpty }

    package var users: Dictionary<UserID, WatchedUser>.Keys { byUser.keys }
}

/// Watchers.
extension WatchMachine {
    /// - Parameter held: how many users the connection that asks watches with these.
    package mutating func watch(
        _ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber, now: MonotonicTime
    ) -> [Action] {
        var actions: [Action] = []
        let limit = settings.maxWatched
        if byUser.count + users.count > limit - limit / 4 {
            // Whoever watches fresh users all the time fills the table with those whom nobody watches any more.
            actions.append(.unsubscribe(removeIdle()))
        }
        let fresh = Set(users.filter { byUser[$0] == nil })
        guard fresh.isEmpty || hasRoom(for: fresh.count, held: held) else {
            return actions + [.fail(ticket, hub, .unavailable(reason: "too many users are watched"))]
        }
        for user in fresh { byUser[user] = WatchedUser(user) }
        let request = WatchRequest(
            ticket: ticket, hub: hub, users: users.compactMap { byUser[$0] },
            deadline: now + settings.followTimeout)
        for one in request.users {
            one.pending += 1
            one.idleSince = nil
            guard !one.isCertain else { continue }
            one.waiting.append(request)
            request.missing += 1
        }
        actions.append(.subscribe(Array(fresh)))
        requests.append(request)
        if request.missing == 0 { answer(request, now: now, &actions) }
        return actions
    }

    /// Nobody of the hub watches this user any more.
    package mutating func unwatch(_ user: UserID, hub: HubNumber, now: MonotonicTime) {
        guard let one = byUser[user] else { return }
        one.hubs.remove(hub)
        for request in requests where request.hub == hub { request.dropped.insert(user) }
        rest(one, now: now)
    }

    /// Whether the table has room for so many more users of a connection that then watches `held`.
    ///
    /// The last quarter is shared: it grows scarce for those that take much of it before it does for those that take little.
    private func hasRoom(for fresh: Int, held: Int) -> Bool {
        let left = settings.maxWatched - byUser.count
        return fresh <= left && (left >= settings.maxWatched / 4 || held <= left / 16)
    }

    private mutating func answer(_ request: WatchRequest, now: MonotonicTime, _ actions: inout [Action]) {
        requests.removeAll { $0 === request }
        for one in request.users {
            one.pending -= 1
            if request.dropped.contains(one.user) {
                rest(one, now: now)
            } else {
                one.hubs.insert(request.hub)
            }
        }
        actions.append(.answer(request.ticket, request.hub, request.users.map(\.status)))
    }
}

/// The channels and their link.
extension WatchMachine {
    package mutating func subscribed(_ user: UserID) -> [Action] {
        guard let one = byUser[user] else { return [] }
        one.isSubscribed = true
        return one.isCertain ? [] : read([one])
    }

    /// What is told of these users does not come any more.
    package mutating func linkLost(of isAffected: (UserID) -> Bool) {
        for one in byUser.values where isAffected(one.user) { one.isSubscribed = false }
    }

    /// These are asked about again: something may have been missed.
    package mutating func doubt(_ isAffected: (UserID) -> Bool) -> [Action] {
        read(byUser.values.filter { isAffected($0.user) })
    }

    /// A user has come or gone.
    package mutating func heard(_ state: KnownState, of user: UserID) -> [Action] {
        guard let one = byUser[user] else { return [] }
        one.hasHeard = true
        one.doubtedSince = nil
        one.heardLate = nil
        var actions: [Action] = []
        if let known = one.state {
            guard state.timestamp >= known.timestamp else {
                // It came late, or Redis's clock has stepped back: Redis knows.
                one.heardLate = state
                return read([one])
            }
            // Two changes in one millisecond: only Redis knows which was the later.
            if state.timestamp == known.timestamp, !state.isTold(as: known) { actions += read([one]) }
        }
        adopt(state, one, &actions)
        return actions
    }

    private func adopt(_ state: KnownState, _ one: WatchedUser, _ actions: inout [Action]) {
        let hasChanged = !state.isTold(as: one.state)
        one.state = state
        guard hasChanged, !one.hubs.isEmpty else { return }
        let change = StatusChange(
            userId: one.user, isOnline: state.isOnline, state: state.state, timestamp: state.timestamp)
        actions.append(.tell(change, one.hubs))
    }
}

/// What Redis holds.
extension WatchMachine {
    /// Those to be asked about now; one whose channel does not stand yet is asked about once it does, the others as soon as
    /// Redis can be asked.
    package mutating func takeUnread(where isReachable: (UserID) -> Bool) -> [WatchedUser] {
        var due: [WatchedUser] = []
        unread = unread.filter { one in
            guard isReachable(one.user) else { return true }
            guard one.isSubscribed else {
                one.reading = .due
                return false
            }
            one.reading = .upToDate
            one.hasHeard = false
            due.append(one)
            return false
        }
        return due
    }

    /// A question was answered, or not: then its users are asked about with the next tick.
    ///
    /// - Parameter breaks: how often the subscriptions have been lost by now; what was told meanwhile went to nobody.
    package mutating func answered(
        _ question: Question, _ states: [KnownState]?, breaks: Int, now: MonotonicTime
    ) -> [Action] {
        guard let states else {
            // It may have failed at once, and would again.
            queue(question.users)
            return []
        }
        guard breaks == question.breaks else { return read(question.users) }
        var actions: [Action] = []
        for (one, state) in zip(question.users, states) { reconcile(one, state, now: now, &actions) }
        return actions
    }

    package mutating func askAgain(_ one: WatchedUser) -> [Action] {
        byUser[one.user] === one && one.doubtedSince != nil ? read([one]) : []
    }

    private mutating func reconcile(
        _ one: WatchedUser, _ found: KnownState, now: MonotonicTime, _ actions: inout [Action]
    ) {
        guard let state = one.state else {
            one.state = found
            return becomeReady(one, now: now, &actions)
        }
        let heardLate = one.heardLate
        if !one.isQueued { one.heardLate = nil }
        if found == heardLate {
            one.heardLate = nil
            adopt(found, one, &actions)
            return becomeReady(one, now: now, &actions)
        }
        if one.hasHeard, found.timestamp <= state.timestamp {
            if found.timestamp == state.timestamp, found.isOnline != state.isOnline {
                actions += read([one])
            } else {
                becomeReady(one, now: now, &actions)
            }
            return
        }
        if found.isOnline != state.isOnline, found.timestamp < state.timestamp {
            // Nobody has come or gone: Redis has lost who is online, or who has gone.
            let since = one.doubtedSince ?? now
            one.doubtedSince = since
            if since + settings.setBackGrace > now {
                actions.append(.askLater(one, settings.setBackPace))
                return becomeReady(one, now: now, &actions)
            }
        }
        one.doubtedSince = nil
        adopt(found, one, &actions)
        becomeReady(one, now: now, &actions)
    }

    private mutating func becomeReady(_ one: WatchedUser, now: MonotonicTime, _ actions: inout [Action]) {
        let waiting = one.waiting
        one.waiting = []
        for request in waiting {
            request.missing -= 1
            if request.missing == 0 { answer(request, now: now, &actions) }
        }
    }

    /// Has Redis asked for these users' states at the end of the turn.
    private mutating func read(_ users: [WatchedUser]) -> [Action] { queue(users) ? [.read] : [] }

    /// Has Redis asked for them when it is asked next, with the next tick at the latest; false where all wait already.
    @discardableResult
    private mutating func queue(_ users: [WatchedUser]) -> Bool {
        var isNews = false
        for one in users where !one.isQueued {
            one.reading = .queued
            unread.append(one)
            isNews = true
        }
        return isNews
    }
}

/// Time.
extension WatchMachine {
    package mutating func ticked(now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        while let request = requests.first, request.deadline <= now {
            requests.removeFirst()
            expire(request, now: now, &actions)
        }
        if !unread.isEmpty { actions.append(.read) }
        guard !idle.isEmpty else { return actions }
        var gone: [UserID] = []
        let listed = idle
        idle = listed.filter { one in
            if let since = one.idleSince, since + settings.lingering > now { return true }
            one.isListedIdle = false
            if one.isUnused, byUser[one.user] === one { gone.append(one.user) }
            return false
        }
        for user in gone { byUser[user] = nil }
        if !gone.isEmpty { actions.append(.unsubscribe(gone)) }
        return actions
    }

    private mutating func expire(_ request: WatchRequest, now: MonotonicTime, _ actions: inout [Action]) {
        for one in request.users {
            one.pending -= 1
            one.waiting.removeAll { $0 === request }
            rest(one, now: now)
        }
        let error = BackendError.unavailable(reason: "Redis did not answer in time")
        actions.append(.fail(request.ticket, request.hub, error))
    }

    /// Notes since when nobody watches, if so.
    private mutating func rest(_ one: WatchedUser, now: MonotonicTime) {
        guard one.isUnused, one.idleSince == nil else { return }
        one.idleSince = now
        guard !one.isListedIdle else { return }
        one.isListedIdle = true
        idle.append(one)
    }

    /// Takes out those whom nobody watches any more.
    private mutating func removeIdle() -> [UserID] {
        let unused = idle.filter(\.isUnused)
        for one in idle { one.isListedIdle = false }
        idle = []
        for one in unused where byUser[one.user] === one { byUser[one.user] = nil }
        return unused.map(\.user)
    }
}
