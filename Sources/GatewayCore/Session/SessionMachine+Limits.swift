/// What a client asks too much of.
extension SessionMachine {
    /// Nil where the request joins no room anew, or not too often.
    mutating func countJoin(_ request: ClientRequest, now: MonotonicTime) -> [Action]? {
        guard let room = request.command.roomToEnter, membership(of: room) == nil else { return nil }
        switch joins.spend(now: now, limit: settings.limits.joins) {
        case .accepted: return nil
        case .refused:
            let wait = joins.wait(now: now, limit: settings.limits.joins)
            return refuse(request.id, tooMuch("too many joins; slow down", wait))
        case .exhausted: return close(.tooManyRequests)
        }
    }

    /// A request of a client that has nothing left to pay for it; pings are answered all the same. Whoever is a guest only
    /// until it has shown its token does not stand in for what the guests of its address have spent.
    package mutating func receivedUnpaid(
        _ request: ClientRequest, retryAfter: Duration, now: MonotonicTime
    ) -> [Action] {
        guard !isClosed else { return [] }
        if case .ping = request.command { return [.send(.pong(id: request.id))] }
        if let actions = claim(request, now: now) { return actions }
        return refuse(request.id, tooMuch("this client's requests cost too much; slow down", retryAfter))
    }

    func tooMuch(_ message: String, _ retryAfter: Duration) -> RequestError {
        RequestError(.rateLimited, message, retryAfter: retryAfter)
    }

    /// Whether nobody has been let in yet: such a connection may do next to nothing.
    package var isStranger: Bool {
        guard identity == nil, case .not = visiting else { return false }
        return true
    }
}

extension ClientCommand {
    fileprivate var roomToEnter: RoomName? {
        if case .join(let room, _) = self { return room }
        if case .subscribe(let subscription) = self { return subscription.room }
        return nil
    }
}

extension RequestError {
    /// With the time after which the same may be asked again, in milliseconds, rounded up.
    package init(_ code: ErrorCode, _ message: String, retryAfter: Duration) {
        self.init(code, message, retryAfterMilliseconds: Int((retryAfter + .nanoseconds(999_999)).milliseconds))
    }
}
