/// What a client with the right asks about others in a governed room: it is decided in Redis, by its role there.
extension SessionMachine {
    mutating func carryOut(_ action: Action, in room: RoomName, _ request: ClientRequest) -> [Action] {
        switch rooms[room] {
        case .joining: hold(request)
        case .joined, .awaiting: [action]
        case nil: refuse(request.id, .notMember, "join the room first")
        }
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
