extension SessionMachine.Action {
    /// What it costs to do this; nil for what costs next to nothing, or is paid for elsewhere.
    ///
    /// - Parameter audience: how many are told of what happens in a room, as far as that is known.
    package func spending(audience: (RoomName) -> Int) -> Spending? {
        switch self {
        case .verify: Prices.token
        case .enroll(let room, let info): Prices.step(infoBytes: info.count, receivers: audience(room))
        case .withdraw(let room): Prices.step(infoBytes: 0, receivers: audience(room))
        case .enrollQuietly, .follow, .confirm: Prices.stream
        case .signal(let signal, _):
            Prices.signal(bytes: signal.payload.count, receivers: max(1, audience(RoomName(inboxOf: signal.to))))
        case .readHistory(_, let range, _): Prices.page(limit: range.limit)
        case .readMembers(_, let limit, _, _): Prices.page(limit: limit)
        case .findSharers(let users, let rooms, _): Prices.sharers(users: users.count, rooms: rooms.count)
        case .watch(let users, _, _, _): Prices.watch(users: users.count)
        case .unwatch(let users): Prices.unwatch(users: users.count)
        case .send, .sendPage, .register, .registerLater, .welcome, .followLater, .enter, .leave, .tellPosition,
            .publish, .close:
            nil
        }
    }
}
