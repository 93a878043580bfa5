import GatewayCore

extension RedisPresenceDirectory {
    /// Users and rooms asked about in one pipeline, about.
    private static let maxQuestions = 1000

    /// A room that the user is in.
    private struct Shared {
        let members: Key
        let size: Int
    }

    /// The way in which a room is searched for users.
    private enum Search {
        case listed(Asked<[String]>)
        /// In the users' order.
        case eachAsked([Asked<Bool>])
    }

    func sharers(
        of user: UserID, in rooms: [RoomName], among users: [UserID]
    ) async throws(DirectoryError) -> Set<UserID> {
        // The small ones first: they cost little, and whoever is found in one need not be looked for in the others.
        var shared = try await shared(by: user, among: rooms).sorted { $0.size < $1.size }[...]
        var found: Set<UserID> = []
        var missing = users
        while !shared.isEmpty, !missing.isEmpty {
            let count = missing.count
            var cost = 0
            let part = shared.prefix { room in
                defer { cost += min(room.size, count) }
                return cost < RedisPresenceDirectory.maxQuestions
            }
            shared = shared.dropFirst(part.count)
            let searches = part.map { room in
                room.size <= count
                    ? Search.listed(store.ask(.names(in: room.members)))
                    : .eachAsked(missing.map { store.ask(.has($0.string, in: room.members)) })
            }
            for search in searches {
                switch search {
                case .listed(let names):
                    for name in try await get(names) { found.insert(UserID(unchecked: name)) }
                case .eachAsked(let asked):
                    for (user, isThere) in zip(missing, try await get(asked)) where isThere { found.insert(user) }
                }
            }
            missing.removeAll(where: found.contains)
        }
        return found.intersection(users)
    }

    private func shared(by user: UserID, among rooms: [RoomName]) async throws(DirectoryError) -> [Shared] {
        let asked = rooms.map { room in
            let members = store.keys.members(room)
            return (
                members: members, isIn: store.ask(.has(user.string, in: members)),
                isHidden: store.ask(.has("h:\(user)", in: store.keys.head(room))),
                size: store.ask(.size(ofHash: members))
            )
        }
        var shared: [Shared] = []
        for one in asked {
            let (isIn, isHidden) = (try await get(one.isIn), try await get(one.isHidden))
            let size = Int(try await get(one.size))
            if isIn || isHidden { shared.append(Shared(members: one.members, size: size)) }
        }
        return shared
    }
}
