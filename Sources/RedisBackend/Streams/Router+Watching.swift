import GatewayCore
import NIOCore

/// How users' states are followed: their channels first, then what Redis holds, so that nothing lies between the two.
extension Router {
    func beginWatching(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber) {
        let limit = configuration.maxWatched
        if watched.count + users.count > limit - limit / 4 {
            // Whoever watches fresh users all the time fills the table with those whom nobody watches any more.
            subscriptions?.unsubscribe(watched.removeIdle().map { channel(of: $0.user) })
        }
        let fresh = Set(users.filter { watched[$0] == nil })
        guard fresh.isEmpty || watched.hasRoom(for: fresh.count, held: held, limit: limit) else {
            outboxes.add(
                .watchFailed(ticket: ticket, error: .unavailable(reason: "too many users are watched")),
                to: hub)
            return scheduleFlush()
        }
        for user in fresh { watched.insert(Watched(user: user)) }
        let request = WatchRequest(
            ticket: ticket, hub: hub, users: users.compactMap { watched[$0] },
            deadline: .now() + configuration.followTimeout)
        for one in request.users {
            one.pending += 1
            one.idleSince = nil
            guard one.state == nil || one.mustRead else { continue }
            one.waiting.append(request)
            request.missing += 1
        }
        subscriptions?.subscribe(fresh.map(channel))
        watched.requests.append(request)
        if request.missing == 0 { answer(request) }
        wake()
    }

    func endWatching(_ user: UserID, hub: HubNumber) {
        guard let one = watched[user] else { return }
        one.hubs.remove(hub)
        for request in watched.requests where request.hub == hub { request.dropped.insert(user) }
        rest(one)
    }

    func subscribed(_ one: Watched?) {
        guard let one else { return }
        one.isSubscribed = true
        if one.mustRead { read(one) }
    }

    func received(_ payload: UnsafeRawBufferPointer, _ one: Watched?) {
        guard let one else { return }
        guard let status = StatusMessage(payload) else { return unreadable() }
        let (isOnline, timestamp) = (status.isOnline, status.timestamp)
        one.hasHeard = true
        one.forgottenSince = nil
        if let state = one.state {
            guard timestamp >= state.timestamp else { return }
            // Two changes in one millisecond: only Redis knows which was the later.
            if timestamp == state.timestamp, isOnline != state.isOnline { read(one) }
        }
        take((isOnline, timestamp), one)
    }

    /// Everything is asked for again: something may have been missed.
    func rereadWatched() {
        for one in watched.all { read(one) }
    }

    func advanceWatching() {
        guard !watched.unread.isEmpty else { return }
        scheduleRead()
    }

    func tickWatching(now: NIODeadline) {
        while let request = watched.requests.first, request.deadline <= now {
            watched.requests.removeFirst()
            expire(request)
        }
        if !watched.unread.isEmpty { scheduleRead() }
        guard !watched.idle.isEmpty else { return }
        let idle = watched.idle
        watched.idle = idle.filter { one in
            if let since = one.idleSince, since + configuration.lingering > now { return true }
            one.isListedIdle = false
            if one.isUnused, watched[one.user] === one {
                watched.remove(one)
                subscriptions?.unsubscribe([channel(of: one.user)])
            }
            return false
        }
    }

    private func rest(_ one: Watched) {
        guard one.isUnused, one.idleSince == nil else { return }
        one.idleSince = .now()
        guard !one.isListedIdle else { return }
        one.isListedIdle = true
        watched.idle.append(one)
        wake()
    }

    /// Has Redis asked for this user's state at the end of the turn.
    private func read(_ one: Watched) {
        one.mustRead = true
        guard !one.isQueued else { return }
        one.isQueued = true
        watched.unread.append(one)
        scheduleRead()
        wake()
    }

    private func scheduleRead() {
        guard !watched.isReadScheduled, isConnected, store.link.isConnected else { return }
        watched.isReadScheduled = true
        loop.execute { [self] in
            watched.isReadScheduled = false
            sendReads()
        }
    }

    private func sendReads() {
        let unread = watched.unread
        watched.unread = []
        // One whose channel does not stand yet is read once it does.
        for one in unread { one.isQueued = false }
        let due = Dictionary(grouping: unread.filter { $0.isSubscribed && $0.mustRead }) {
            Partition(of: $0.user.string)
        }
        for (partition, all) in due {
            for start in stride(from: 0, to: all.count, by: ReadStates.most) {
                read(Array(all[start..<min(start + ReadStates.most, all.count)]), partition)
            }
        }
    }

    private func read(_ batch: [Watched], _ partition: Partition) {
        for one in batch {
            one.mustRead = false
            one.hasHeard = false
        }
        let breaks = breaks
        store.call(ReadStates(of: batch.map(\.user), in: partition)) { [self] result in
            guard case .success(let states) = result, breaks == self.breaks else {
                for one in batch { read(one) }
                return
            }
            for (one, state) in zip(batch, states) {
                settle(one, online: state.onlineSince ?? 0, seen: state.lastSeen ?? 0)
            }
        }
    }

    /// Redis has told what it holds of a user: since when online (0: not), when last seen (0: never).
    private func settle(_ one: Watched, online: Int64, seen: Int64) {
        let found = (isOnline: online > 0, timestamp: online > 0 ? online : seen)
        guard let state = one.state else {
            one.state = found
            return becomeReady(one)
        }
        if one.hasHeard, found.timestamp <= state.timestamp {
            if found.timestamp == state.timestamp, found.isOnline != state.isOnline { return read(one) }
            return becomeReady(one)
        }
        if state.isOnline, !found.isOnline, found.timestamp < state.timestamp {
            // Nobody has gone offline: Redis has lost who is online, and the nodes are about to register again.
            let since = one.forgottenSince ?? .now()
            one.forgottenSince = since
            if since + configuration.forgottenGrace > .now() {
                loop.scheduleTask(in: .milliseconds(500)) { [self] in
                    if watched[one.user] === one, one.forgottenSince != nil { read(one) }
                }
                return becomeReady(one)
            }
        }
        one.forgottenSince = nil
        take(found, one)
        becomeReady(one)
    }

    private func take(_ state: (isOnline: Bool, timestamp: Int64), _ one: Watched) {
        let hasChanged = one.state?.isOnline != state.isOnline
        one.state = state
        guard hasChanged, !one.hubs.isEmpty else { return }
        let change = StatusChange(
            userId: one.user, isOnline: state.isOnline, timestamp: state.timestamp)
        outboxes.add(.status(change), to: one.hubs)
        scheduleFlush()
    }

    private func becomeReady(_ one: Watched) {
        let waiting = one.waiting
        one.waiting = []
        for request in waiting {
            request.missing -= 1
            if request.missing == 0 { answer(request) }
        }
    }

    private func answer(_ request: WatchRequest) {
        watched.requests.removeAll { $0 === request }
        for one in request.users {
            one.pending -= 1
            if request.dropped.contains(one.user) { rest(one) } else { one.hubs.insert(request.hub) }
        }
        outboxes.add(
            .watching(ticket: request.ticket, users: request.users.map(\.status)), to: request.hub)
        scheduleFlush()
    }

    private func expire(_ request: WatchRequest) {
        for one in request.users {
            one.pending -= 1
            one.waiting.removeAll { $0 === request }
            rest(one)
        }
        let error = BackendError.unavailable(reason: "Redis did not answer in time")
        outboxes.add(.watchFailed(ticket: request.ticket, error: error), to: request.hub)
        scheduleFlush()
    }
}
