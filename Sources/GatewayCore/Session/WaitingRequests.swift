/// Requests that must wait for an answer from elsewhere, in the order they came.
struct WaitingRequests: Sendable {
    private var requests: [ClientRequest] = []
    private var bytes = 0

    /// Whether one more was taken within the limits.
    mutating func hold(_ request: ClientRequest, limits: SessionLimits) -> Bool {
        guard requests.count < limits.maxWaitingFrames, bytes + request.heldBytes <= limits.maxWaitingBytes else {
            return false
        }
        requests.append(request)
        bytes += request.heldBytes
        return true
    }

    /// Takes out all that wait.
    mutating func takeAll() -> [ClientRequest] {
        defer { self = WaitingRequests() }
        return requests
    }

    /// Takes out those that are about this room.
    mutating func take(for room: RoomName) -> [ClientRequest] {
        guard requests.contains(where: { $0.command.room == room }) else { return [] }
        let taken = requests.filter { $0.command.room == room }
        requests.removeAll { $0.command.room == room }
        bytes -= taken.reduce(0) { $0 + $1.heldBytes }
        return taken
    }
}

extension ClientCommand {
    /// The room a command is about.
    package var room: RoomName? {
        switch self {
        case .join(let room), .leave(let room), .message(let room, _, _, _), .history(let room, _): room
        case .auth, .ping: nil
        }
    }
}

extension ClientRequest {
    fileprivate var heldBytes: Int {
        switch command {
        case .message(_, _, let payload, _): payload.count
        case .auth(let token): token.utf8.count
        case .join, .leave, .history, .ping: 0
        }
    }
}
