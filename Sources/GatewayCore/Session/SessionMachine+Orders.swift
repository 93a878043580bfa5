/// What a client with the right asks about others in a governed room: it is decided in Redis, by its role there.
extension SessionMachine {
    mutating func carryOut(_ order: RoomOrder, _ request: ClientRequest) -> [Action] {
        switch rooms[order.room] {
        case .joining: return hold(request)
        case .joined, .awaiting: break
        case nil: return refuse(request.id, .notMember, "join the room first")
        }
        return [.order(order, id: request.id)]
    }

    /// What became of it.
    func ordered(id: RequestID?, room: RoomName, _ result: Result<Int64, GovernError>) -> [Action] {
        guard isLive else { return [] }
        return switch result {
        case .success(let version): [.send(.ordered(id: id, room: room, version: version))]
        case .failure(let error): refuse(id, error.request)
        }
    }
}
