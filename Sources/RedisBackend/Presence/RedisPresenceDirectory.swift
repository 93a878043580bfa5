import GatewayCore

/// Presence as Redis holds it; commands of one answer go in one or two pipelines.
struct RedisPresenceDirectory: PresenceDirectory {
    let store: Store
    let settings: PresenceSettings

    private var keys: Keys { store.keys }

    func users(limit: Int, cursor: String?) async throws(DirectoryError) -> UserPage {
        let page = try await page(of: keys.online, limit: limit, cursor: cursor)
        return UserPage(users: page.names.map { UserID(unchecked: $0) }, total: page.total, next: page.next)
    }

    func rooms(limit: Int, cursor: String?) async throws(DirectoryError) -> RoomPage {
        let page = try await page(of: keys.rooms, limit: limit, cursor: cursor)
        return RoomPage(rooms: page.names.map { RoomName(unchecked: $0) }, total: page.total, next: page.next)
    }

    func statuses(of users: [UserID]) async throws(DirectoryError) -> [UserStatus] {
        let groups = Array(Dictionary(grouping: users.indices, by: { Partition(of: users[$0].string) }))
        let asked = AskedStatuses(
            groups.map { partition, indices in (partition, indices.map { users[$0].string }) }, of: store)
        let answers = await asked.answers()
        var statuses = users.map { UserStatus(userId: $0, isOnline: false, lastSeen: nil) }
        var failure: DirectoryError?
        var unknown = 0
        for ((_, indices), answers) in zip(groups, answers) {
            do throws(CallError) {
                let (online, seen, states) = try answers.get()
                for (place, index) in indices.enumerated() {
                    statuses[index].isOnline = online[place] != nil
                    if online[place] != nil { statuses[index].state = UserState(told: states[place]) }
                    statuses[index].lastSeen = seen[place]
                }
            } catch {
                failure = .backend(.unavailable(reason: "\(error)"))
                unknown += indices.count
                for index in indices { statuses[index].refusal = .unavailable }
            }
        }
        if let failure, unknown == users.count { throw failure }
        return statuses
    }

    func user(_ user: UserID) async throws(DirectoryError) -> UserRecord? {
        let partition = Partition(of: user.string)
        let online = store.ask(.score(of: user.string, in: keys.online(partition)))
        let seen = store.ask(.score(of: user.string, in: keys.seen(partition)))
        let state = store.ask(.field(user.string, of: keys.states(partition)))
        let records = store.ask(.connections(in: keys.connections(of: user), of: user))
        let verdict = store.ask(.text(of: keys.verdict(on: user)))
        let time = store.ask(.time(of: partition.slot))
        // The last that was asked for: with it the others are there.
        let now = try await get(time) * 1000
        let banned = try await get(verdict).flatMap { Verdict($0) }.flatMap {
            $0.bannedUntil > now ? $0.bannedUntil : nil
        }
        var status = UserStatus(userId: user, isOnline: try await get(online) != nil, lastSeen: try await get(seen))
        if status.isOnline { status.state = UserState(told: try await get(state)) }
        guard status.isOnline || status.lastSeen != nil || banned != nil else { return nil }
        let asked = try await get(records).map { record in
            (record, session: record.session.map { store.ask(.session(keys.session($0))) })
        }
        var connections: [ConnectionRecord] = []
        for (record, session) in asked {
            var fields = SessionFields()
            if let session { fields = try await get(session) }
            let isNamed = fields.connection == record.id
            connections.append(
                ConnectionRecord(
                    connectionId: record.id, nodeId: record.holder.node, connectedAt: record.since,
                    rooms: isNamed ? fields.rooms : [], remoteAddress: isNamed ? fields.address.nonEmpty : nil,
                    dialect: isNamed ? fields.dialect : nil))
        }
        return UserRecord(
            status: status,
            connections: connections.sorted { ($0.connectedAt, $0.connectionId) < ($1.connectedAt, $1.connectionId) },
            bannedUntil: banned)
    }

    func room(_ room: RoomName) async throws(DirectoryError) -> RoomRecord? {
        let size = store.ask(.size(ofHash: keys.members(room)))
        let connections = store.ask(.size(ofSet: keys.connections(in: room)))
        let others = store.ask(.fields(["hidden", "guests"], of: keys.head(room)))
        let position = store.ask(.position(ofHead: keys.head(room)))
        let (shown, head) = (Int(try await get(size)), try await get(position))
        let (found, unseen) = (Int(try await get(connections)), try await get(others))
        let members = shown + (unseen[0].flatMap { Int($0) } ?? 0)
        let guests = GuestWords(unseen[1] ?? "")
        let record = RoomRecord(
            room: room, members: members, connections: found + guests.count, head: head, hasGuestGrace: guests.hasGrace)
        return record.isKnown ? record : nil
    }

    func disconnect(_ user: UserID, _ expulsion: Expulsion) async throws(DirectoryError) -> Expelled {
        let answer = try await get(store.ask(Expel(user, expulsion, settings: settings)))
        store.tellMarked(answer.marked, life: settings.fenceLife)
        for lingered in answer.lingered { leaveRooms(lingered, of: user) }
        return answer.expelled
    }

    /// Ends the grace that a connection has in its rooms, which lie in other partitions; where that fails it ends by itself.
    private func leaveRooms(_ lingered: Expel.Lingered, of user: UserID) {
        let (connection, session) = (lingered.connection, lingered.session)
        store.send(.session(keys.session(session))) { result in
            guard case .success(let fields) = result, fields.connection == connection else { return }
            for room in fields.rooms {
                let leave = Leave(
                    room, connection: connection, of: user, holder: .grace, departure: .farewell(.kicked),
                    settings: settings)
                store.call(leave) { _ in }
            }
        }
    }

    func pardon(_ user: UserID) async throws(DirectoryError) -> Bool {
        try await get(store.ask(Pardon(user, settings: settings))) == .pardoned
    }

    func members(of room: RoomName, limit: Int, cursor: String?) async throws(DirectoryError) -> MemberPage {
        let hash = keys.members(room)
        var walk = MemberWalk(from: try MemberCursor(read: cursor), limit: limit)
        let size = store.ask(.size(ofHash: hash))
        let roster = store.ask(.field("roster", of: keys.head(room)))
        let (count, version) = (try await get(size), try await get(roster))
        while !walk.isOver {
            if walk.mustName(ofRoomOf: Int(count)) {
                walk.take(try await get(store.ask(ScanMembers(hash, from: walk.from, about: walk.count))))
            } else {
                walk.take(try await get(store.ask(.scan(members: hash, about: walk.count))))
            }
        }
        return MemberPage(
            members: walk.members, count: Int(count), rosterVersion: version.flatMap { Int64($0) } ?? 0,
            next: walk.next?.text)
    }

    func invisibleMembers(of room: RoomName) async throws(DirectoryError) -> [Member] {
        guard try await get(store.ask(.field("hidden", of: keys.head(room)))) != nil else { return [] }
        return try await get(store.ask(.fields(of: keys.head(room)))).compactMap { field -> Member? in
            guard field.name.hasPrefix("h:") else { return nil }
            let user = UserID(unchecked: String(field.name.dropFirst(2)))
            return Array(field.value.utf8).withUnsafeBytes { PackedMember.unpack($0, user: user) }
        }.sorted { MemberCursor.isBefore($0.userId.string, $1.userId.string) }
    }

    func get<Answer>(_ asked: Asked<Answer>) async throws(DirectoryError) -> Answer {
        do {
            return try await asked.answer
        } catch {
            throw .backend(.unavailable(reason: "\(error)"))
        }
    }

    func get<Answer>(_ asked: [Asked<Answer>]) async throws(DirectoryError) -> [Answer] {
        do {
            return try await asked.answers()
        } catch {
            throw .backend(.unavailable(reason: "\(error)"))
        }
    }
}

extension RedisPresenceDirectory {
    /// Rooms that one script looks at: Redis does nothing else meanwhile.
    private static let portion = 1000
    /// Partitions that are gone through at once.
    private static let width = 8

    func rooms(
        in span: RoomSpan, upTo limit: Int, among most: Int
    ) async throws(DirectoryError) -> SpannedRooms {
        let sizes = try await get(Partition.all.map { store.ask(.size(ofSortedSet: keys.rooms($0))) }).map { Int($0) }
        guard sizes.reduce(0, +) <= most else { return .amongTooMany }
        let filled = Partition.all.filter { sizes[$0.number] > 0 }
        // One that was left and entered meanwhile stands in two places.
        var found: Set<RoomName> = []
        for first in stride(from: 0, to: filled.count, by: RedisPresenceDirectory.width) {
            // Those that are entered meanwhile stand at the end, and it need not be reached.
            var rest: [(partition: Partition, after: PageCursor.Place?, left: Int)] =
                filled[first..<min(first + RedisPresenceDirectory.width, filled.count)].map {
                    ($0, nil, sizes[$0.number])
                }
            while !rest.isEmpty {
                guard !Task.isCancelled else { return .abandoned }
                let parts = try await get(
                    rest.map { place in
                        store.ask(
                            ReadSpan(
                                of: keys.rooms(place.partition), in: span, portion: RedisPresenceDirectory.portion,
                                after: place.after))
                    })
                found.formUnion(parts.flatMap(\.rooms))
                guard found.count <= limit else { return .tooMany }
                rest = zip(rest, parts).compactMap { asked, part in
                    // One portion more than there were, since a place that has gone is looked for again.
                    guard let last = part.last, asked.left > 0 else { return nil }
                    return (asked.partition, last, asked.left - RedisPresenceDirectory.portion)
                }
            }
        }
        return .all(Array(found))
    }

    /// One page over a sorted set that every partition has: the sizes of all in one pipeline, then the parts of the
    /// page in another.
    private func page(
        of key: (Partition) -> Key, limit: Int, cursor text: String?
    ) async throws(DirectoryError) -> (names: [String], total: Int, next: String?) {
        guard let cursor = text.map(PageCursor.init) ?? PageCursor(partition: Partition.all[0], after: nil) else {
            throw .badCursor
        }
        let counts = try await get(Partition.all.map { store.ask(.size(ofSortedSet: key($0))) }).map { Int($0) }
        // How many of the cursor's own partition lie behind it is not known: it counts as none of them.
        var expected = 0
        var last = cursor.partition.number
        while last + 1 < Partition.count, expected <= limit {
            last += 1
            expected += counts[last]
        }
        let partitions = Partition.all[cursor.partition.number...last].filter { counts[$0.number] > 0 }
        let parts = try await get(
            partitions.map { partition in
                let after = partition == cursor.partition ? cursor.after : nil
                return store.ask(ReadPage(of: key(partition), limit: limit + 1, after: after))
            })
        let found = zip(partitions, parts).flatMap { partition, places in
            places.map { PageCursor(partition: partition, after: $0) }
        }.prefix(limit + 1)
        let names = found.prefix(limit).compactMap(\.after?.member)
        var next: String?
        if found.count > limit {
            next = found[limit - 1].text
        } else if last + 1 < Partition.count {
            next = PageCursor(partition: Partition.all[last + 1], after: nil).text
        }
        return (names, counts.reduce(0, +), next)
    }
}

extension UserState {
    /// Of a user who is online, as `states` has it.
    fileprivate init(told: String?) { self = told.flatMap { UserState(rawValue: $0) } ?? .active }
}
