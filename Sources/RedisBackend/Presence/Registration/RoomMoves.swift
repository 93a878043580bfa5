import GatewayCore

/// The rooms of sessions that go on, on their way from one connection to another.
struct RoomMoves {
    struct Move {
        var registration: Registration
        let ticket: RegistrationMachine.Ticket
        fileprivate var remaining: Int
        fileprivate(set) var error: BackendError?
    }

    private var moves: [String: Move] = [:]

    /// A connection is registered, and enters so many rooms before whoever asked is answered; answers what is through.
    mutating func begin(
        _ registration: Registration, rooms: Int, of connection: String, _ ticket: RegistrationMachine.Ticket
    ) -> Move? {
        let move = Move(registration: registration, ticket: ticket, remaining: rooms)
        guard rooms > 0 else { return move }
        moves[connection] = move
        return nil
    }

    /// One of the rooms may not be entered any more.
    mutating func refused(_ room: RoomName, by connection: String) {
        moves[connection]?.registration.resumed?.rooms.removeAll { $0 == room }
        moves[connection]?.registration.resumed?.forbidden.append(room)
    }

    /// One of the rooms was entered by a user who has been in it since this seq, where that has to be known.
    mutating func entered(_ room: RoomName, since: Int, by connection: String) {
        moves[connection]?.registration.resumed?.since[room] = since
    }

    /// One of the rooms was entered, or could not be.
    mutating func entered(by connection: String, error: BackendError?) -> Move? {
        guard var move = moves[connection] else { return nil }
        move.remaining -= 1
        if let error { move.error = error }
        moves[connection] = move.remaining > 0 ? move : nil
        return move.remaining > 0 ? nil : move
    }
}
