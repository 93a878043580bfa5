extension SessionMachine.Action {
    /// What it costs to do this; nil for what costs next to nothing, or is paid for elsewhere.
    ///
    /// - Parameter audience: how many are told of what happens in a room, as far as that is known.
    package func spending(audience: (RoomName) -> Int) -> Spending? {
        switch self {
        case .verify: Prices.token
        case .enroll(let enrollment, let info):
            Prices.step(infoBytes: info.count, receivers: audience(enrollment.room))
        case .enrollVisitor(let enrollment, let member):
            Prices.step(infoBytes: member.info.count, receivers: audience(enrollment.room))
        case .readRoster(let joined, _): Prices.page(limit: max(1, min(1000, joined.roster?.members ?? 1)))
        case .withdraw(let room): Prices.step(infoBytes: 0, receivers: audience(room))
        case .enrollQuietly, .attend, .noteMiss, .follow, .confirm: Prices.stream
        case .show(let info, let rooms, _):
            Prices.steps(infoBytes: info.count, receivers: rooms.reduce(0) { $0 + audience($1) }, rooms: rooms.count)
        case .setState: Prices.step(infoBytes: 0, receivers: 0)
        case .turn: Prices.signature
        case .signal(let signal, _):
            Prices.signal(bytes: signal.payload.count, receivers: max(1, audience(RoomName(inboxOf: signal.to))))
        case .order(let order, _): Prices.step(infoBytes: 0, receivers: audience(order.room))
        case .redact(let room, _, _, _): Prices.redaction(receivers: audience(room))
        case .readHistory(_, let range, _): Prices.page(limit: range.limit)
        case .readMembers(_, let limit, _, _): Prices.page(limit: limit)
        case .findSharers(let users, let rooms, _): Prices.sharers(users: users.count, rooms: rooms.count)
        case .watch(let users, _, _, _): Prices.watch(users: users.count)
        case .unwatch(let users): Prices.unwatch(users: users.count)
        case .send, .sendPage, .ask, .keepToken, .register, .registerLater, .welcome, .admitVisitor, .nameVisitor,
            .admitGuest, .greetGuest, .endGuest, .release, .followLater, .enter, .leave, .tellPosition, .publish,
            .close:
            nil
        }
    }
}

extension SessionMachine.Answer {
    /// What an answer costs that could not be priced before it was there; nil for what was paid for when it was asked.
    ///
    /// - Parameter isCompressing: whether what is sent of it is compressed for this client.
    package func spending(isCompressing: Bool) -> Spending? {
        switch self {
        case .registered(.success(let registration)):
            registration.resumed.map { Prices.resumption(rooms: $0.rooms.count + $0.forbidden.count) }
        case .history(_, _, .success(let page)):
            Prices.logBytes(
                page.messages.reduce(0) { $0 + $1.payload.count + 128 }, isCompressing: isCompressing)
        case .members(_, _, .success(let page)):
            Prices.members(page.members.count, bytes: page.members.reduce(0) { $0 + $1.info.count + 64 })
        case .rosterRead(let joined, _, .success):
            Prices.members(
                joined.members?.count ?? 0, bytes: joined.members?.reduce(0) { $0 + $1.info.count + 64 } ?? 0)
        case .rosterRead(_, _, .failure), .verified, .confirmed, .registered(.failure),
            .enrolled, .streamReady, .streamFailed, .published,
            .history(_, _, .failure), .members(_, _, .failure), .sharersFound, .sharersUnknown, .watching, .watchFailed,
            .signalled, .shown, .ordered, .ruled:
            nil
        }
    }
}
