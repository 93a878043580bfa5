/// Users whose coming and going a client wants to know of, as far as it may.
extension SessionMachine {
    /// To look for a user in a room costs Redis about a twelfth of a publish; most rooms are small, and cost less.
    private static let questionsPerFrame = 100

    /// As how many frames a request counts against the client's rate.
    func weight(of command: ClientCommand) -> Int {
        guard case .watch(let users) = command, settings.watchRight == .sameRoom else { return command.weight }
        return max(command.weight, users.count * rooms.count / SessionMachine.questionsPerFrame)
    }

    /// Watches users besides those watched already; the answer is about those asked for, each named once.
    mutating func watch(_ users: [UserID], _ request: ClientRequest) -> [Action] {
        let id = request.id
        var named: Set<UserID> = []
        let users = users.filter { named.insert($0).inserted }
        if settings.rules.fencesApps, !isVisitor, users.contains(where: { AppFence.isForeign($0.string) }) {
            return refuse(id, .forbidden, "users: of apps, whose names begin with a colon, cannot be watched")
        }
        guard users.count <= settings.limits.maxWatchedAtOnce else {
            return refuse(id, .badRequest, "users: no more than \(settings.limits.maxWatchedAtOnce) at once")
        }
        switch settings.watchRight {
        case .anyone: break
        case .nobody: return [.send(.watching(id: id, users: users.map(UserStatus.init(unwatchable:))))]
        case .sameRoom:
            // Whoever joins and watches in one breath shares the room once the join is through.
            if isEnteringRooms { return hold(request) }
            guard watchChecks < settings.limits.maxWatchChecks else {
                return refuse(id, .rateLimited, "no more than \(settings.limits.maxWatchChecks) watches at once")
            }
        }
        guard watched.union(named).count <= settings.limits.maxWatched else {
            return refuse(id, .forbidden, "no more than \(settings.limits.maxWatched) watched users")
        }
        // Users unwatched before the answer count here, so that fresh ones cannot take their places without end.
        guard watchesAsked + users.count <= 2 * settings.limits.maxWatched else {
            return refuse(id, .rateLimited, "too many users are being asked for")
        }
        watched.formUnion(named)
        watchesAsked += users.count
        guard settings.watchRight == .sameRoom else {
            return [.watch(users, held: watched.count, refused: [], id: id)]
        }
        watchChecks += 1
        let rooms = rooms.keys.filter { seesPresence(in: $0) }
        return rooms.isEmpty ? sharersFound(id: id, of: users, []) : [.findSharers(users, rooms: rooms, id: id)]
    }

    /// Those in a room with this user are watched, the others are not, or no longer.
    mutating func sharersFound(id: RequestID?, of users: [UserID], _ sharers: Set<UserID>) -> [Action] {
        watchChecks -= 1
        guard isLive else { return [] }
        let refused = users.filter { !sharers.contains($0) }
        watchesAsked -= refused.count
        let ended = refused.filter { watched.remove($0) != nil }
        let actions: [Action] = ended.isEmpty ? [] : [.unwatch(ended)]
        guard refused.count < users.count else {
            return actions + [.send(.watching(id: id, users: refused.map(UserStatus.init(unwatchable:))))]
        }
        let allowed = users.filter(sharers.contains)
        return actions + [.watch(allowed, held: watched.count, refused: refused, id: id)]
    }

    /// Nobody knows who of them is in a room with this user.
    mutating func sharersUnknown(
        id: RequestID?, of users: [UserID], unwatched: [UserID], _ error: DirectoryError
    ) -> [Action] {
        watchChecks -= 1
        return watchFailed(id: id, asked: users.count, unwatched: unwatched, error.request)
    }

    /// The contract names no answer of its own for `unwatch`: it is `watching` with nobody in it. It does not overtake a
    /// `watch` that waits.
    mutating func unwatch(_ users: [UserID], _ request: ClientRequest) -> [Action] {
        if waiting.hasRoomless { return hold(request) }
        let id = request.id
        let ended = users.filter { watched.remove($0) != nil }
        let answer = Action.send(.watching(id: id, users: []))
        return ended.isEmpty ? [answer] : [.unwatch(ended), answer]
    }

    package func isWatching(_ user: UserID) -> Bool { watched.contains(user) }

    /// The users asked for are watched from here on, those aside that were unwatched in the meantime.
    mutating func watching(id: RequestID?, _ users: [UserStatus], refused: [UserID]) -> [Action] {
        watchesAsked -= users.count
        guard isLive else { return [] }
        return [.send(.watching(id: id, users: users + refused.map(UserStatus.init(unwatchable:))))]
    }

    /// The users asked for, so many, could not be watched; `unwatched` are those that were not watched before either.
    mutating func watchFailed(
        id: RequestID?, asked: Int, unwatched: [UserID], _ error: RequestError
    ) -> [Action] {
        watchesAsked -= asked
        guard isLive else { return [] }
        watched.subtract(unwatched)
        return refuse(id, error)
    }
}

extension UserStatus {
    /// One whom the client may not watch.
    fileprivate init(unwatchable user: UserID) {
        self.init(userId: user, isOnline: false, lastSeen: nil, refusal: .forbidden)
    }
}
