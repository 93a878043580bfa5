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

    var isEmpty: Bool { requests.isEmpty }

    /// Whether one is about this room.
    func holds(_ room: RoomName) -> Bool { requests.contains { $0.command.room == room } }

    /// Takes out all that wait.
    mutating func takeAll() -> [ClientRequest] {
        defer { self = WaitingRequests() }
        return requests
    }

    /// Takes out the first one that fits.
    mutating func takeFirst(where fits: (ClientCommand) -> Bool) -> ClientRequest? {
        guard let index = requests.firstIndex(where: { fits($0.command) }) else { return nil }
        let taken = requests.remove(at: index)
        bytes -= taken.heldBytes
        return taken
    }

    /// Takes out those that are about no room of their own, such as `watch`.
    mutating func takeRoomless() -> [ClientRequest] {
        let taken = requests.filter { $0.command.room == nil }
        requests.removeAll { $0.command.room == nil }
        bytes -= taken.reduce(0) { $0 + $1.heldBytes }
        return taken
    }

    /// Whether there are such.
    var hasRoomless: Bool { requests.contains { $0.command.room == nil } }

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
        case .join(let room, _), .leave(let room), .history(let room, _), .members(let room, _, _),
            .signal(_, let room, _):
            room
        case .message(let message): message.room
        case .presence(let room, _): room
        case .order(let order): order.room
        case .redact(let room, _, _): room
        case .subscribe(let subscription): subscription.room
        case .auth, .resume, .watch, .unwatch, .state, .turn, .signIn, .ping: nil
        }
    }
}

extension ClientRequest {
    private static let nameBytes = 64

    fileprivate var heldBytes: Int {
        switch command {
        case .message(let message): message.payload.count
        case .signal(_, _, let payload): payload.count
        case .presence(_, let info): info.count
        case .auth(let token): token.utf8.count
        case .members(_, _, let cursor): cursor?.utf8.count ?? 0
        case .resume(let since): since.count * ClientRequest.nameBytes
        case .watch(let users), .unwatch(let users): users.count * ClientRequest.nameBytes
        case .order(let order): ClientRequest.nameBytes + order.reason.utf8.count
        case .redact(_, _, let epoch): epoch?.utf8.count ?? 0
        case .subscribe(let subscription): ClientRequest.nameBytes + (subscription.member?.info.count ?? 0)
        case .signIn(let identity, let users): ClientRequest.nameBytes * (1 + users.count) + identity.info.count
        case .join, .leave, .history, .state, .turn, .ping: 0
        }
    }
}
