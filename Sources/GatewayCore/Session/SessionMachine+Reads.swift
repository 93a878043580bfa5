/// Pages of history and of members: a few of a client's are read at once, the others wait for their turn.
extension SessionMachine {
    /// A page has left for the client.
    package mutating func pageLeft() -> [Action] {
        guard isLive else { return [] }
        return readEnded()
    }

    /// One that waits for those before it, and is refused only where too much waits already.
    mutating func holdRead(_ request: ClientRequest) -> [Action] {
        guard waiting.hold(request, limits: settings.limits) else {
            return refuse(request.id, .rateLimited, "too many pages wait to be read")
        }
        return []
    }

    /// One is done with: it is the next one's turn, but for those that wait for their room.
    mutating func readEnded() -> [Action] {
        reads -= 1
        var actions: [Action] = []
        while reads < settings.limits.maxReads, let request = nextRead() { actions += serve(request) }
        return actions
    }

    private mutating func nextRead() -> ClientRequest? {
        waiting.takeFirst { [rooms] command in
            switch command {
            case .history(let room, _), .members(let room, _, _):
                if case .joining(let joining) = rooms[room] { joining.isMember } else { true }
            case .auth, .ping, .join, .resume, .leave, .message, .watch, .unwatch, .signal, .presence, .state, .turn,
                .order, .redact, .subscribe, .signIn:
                false
            }
        }
    }
}
