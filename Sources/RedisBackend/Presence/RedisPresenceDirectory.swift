import GatewayCore
import RedisClient

/// Presence as Redis holds it; commands of one answer go in one or two pipelines.
struct RedisPresenceDirectory: PresenceDirectory {
    let calls: PresenceCalls

    private var store: Store { calls.store }
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
        let groups = Dictionary(grouping: users.indices, by: { Partition(of: users[$0].string) })
        var commands: [[RedisArgument]] = []
        var order: [[Int]] = []
        for (partition, indices) in groups {
            let names = indices.map { RedisArgument.string(users[$0].string) }
            commands.append(["ZMSCORE", .string(keys.online(partition).name)] + names)
            commands.append(["ZMSCORE", .string(keys.seen(partition).name)] + names)
            order.append(indices)
        }
        let replies = try await ask(commands)
        var statuses = users.map { UserStatus(userId: $0, isOnline: false, lastSeen: nil) }
        for (group, indices) in order.enumerated() {
            for (place, index) in indices.enumerated() {
                statuses[index].isOnline = !replies[2 * group][place].isNull
                statuses[index].lastSeen = replies[2 * group + 1][place].integer
            }
        }
        return statuses
    }

    func user(_ user: UserID) async throws(DirectoryError) -> UserRecord? {
        let partition = Partition(of: user.string)
        let name = RedisArgument.string(user.string)
        let replies = try await ask([
            ["ZSCORE", .string(keys.online(partition).name), name],
            ["ZSCORE", .string(keys.seen(partition).name), name],
            ["HGETALL", .string(keys.connections(of: user).name)], ["GET", .string(keys.verdict(on: user).name)],
            ["TIME"],
        ])
        let now = (replies[4][0].integer ?? 0) * 1000
        let banned = replies[3].string?.split(separator: " ").first.flatMap { Int64($0) }.flatMap {
            $0 > now ? $0 : nil
        }
        let status = UserStatus(userId: user, isOnline: !replies[0].isNull, lastSeen: replies[1].integer)
        guard status.isOnline || status.lastSeen != nil || banned != nil else { return nil }
        let records = stride(from: 0, to: replies[2].count - 1, by: 2).compactMap { index in
            ConnectionField(id: replies[2][index].string, record: replies[2][index + 1].string, of: user)
        }
        let sessions = try await ask(records.map { ["HGETALL", .string($0.session.map(keys.session)?.name ?? "")] })
        let connections = zip(records, sessions.map(SessionFields.init)).map { record, session in
            let isNamed = session.connection == record.id
            return ConnectionRecord(
                connectionId: record.id, nodeId: record.holder.node, connectedAt: record.since,
                rooms: isNamed ? session.rooms : [], remoteAddress: isNamed ? session.address.nonEmpty : nil)
        }
        return UserRecord(
            status: status,
            connections: connections.sorted { ($0.connectedAt, $0.connectionId) < ($1.connectedAt, $1.connectionId) },
            bannedUntil: banned)
    }

    func sharers(
        of user: UserID, in rooms: [RoomName], among users: [UserID]
    ) async throws(DirectoryError) -> Set<UserID> {
        let hashes = rooms.map { RedisArgument.string(keys.members($0).name) }
        let heads = try await ask(hashes.flatMap { [["HEXISTS", $0, .string(user.string)], ["HLEN", $0]] })
        // The small ones first: they cost little, and whoever is found in one need not be looked for in the others.
        var shared = hashes.indices.filter { heads[2 * $0].integer == 1 }
            .map { (hash: hashes[$0], size: Int(heads[2 * $0 + 1].integer ?? 0)) }
            .sorted { $0.size < $1.size }[...]
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
            let names = missing.map { RedisArgument.string($0.string) }
            let replies = try await ask(
                part.flatMap { room in
                    room.size <= count ? [["HKEYS", room.hash]] : names.map { ["HEXISTS", room.hash, $0] }
                })
            var place = 0
            for room in part {
                if room.size <= count {
                    for index in 0..<replies[place].count {
                        if let name = replies[place][index].string { found.insert(UserID(unchecked: name)) }
                    }
                    place += 1
                } else {
                    for index in 0..<count where replies[place + index].integer == 1 { found.insert(missing[index]) }
                    place += count
                }
            }
            missing.removeAll(where: found.contains)
        }
        return found.intersection(users)
    }

    /// Users and rooms asked about in one pipeline, about.
    private static let maxQuestions = 1000

    func room(_ room: RoomName) async throws(DirectoryError) -> RoomRecord? {
        let replies = try await ask([
            ["HLEN", .string(keys.members(room).name)], ["SCARD", .string(keys.connections(in: room).name)],
            ["HMGET", .string(keys.head(room).name), "epoch", "seq"],
        ])
        let members = Int(replies[0].integer ?? 0)
        var head: Position?
        if let epoch = replies[2][0].string, let seq = replies[2][1].integer {
            head = Position(epoch: epoch, seq: Int(seq))
        }
        guard members > 0 || head != nil else { return nil }
        return RoomRecord(room: room, members: members, connections: Int(replies[1].integer ?? 0), head: head)
    }

    func disconnect(_ user: UserID, _ expulsion: Expulsion) async throws(DirectoryError) -> Expelled {
        let partition = Partition(of: user.string)
        let nodes = keys.node("", in: partition)
        let settings = calls.settings
        let answers = try await ask([user]) { user, reply in
            store.call(
                Scripts.close,
                keys: [
                    keys.connections(of: user), keys.marks(partition), keys.verdict(on: user), keys.online(partition),
                    keys.seen(partition), keys.linger(partition), keys.events(partition),
                ], channel: nodes,
                arguments: [
                    .integer(Int64(expulsion.reason.code)), .string(expulsion.text),
                    .integer(settings.life.milliseconds), "PUBLISH", .string(nodes.name), .string(user.string),
                    .string(keys.status(of: user).name), calls.ledgerSize,
                    expulsion.ban.map { .integer($0.milliseconds) } ?? "",
                    expulsion.tokensBefore.map { .integer($0) } ?? "",
                    .integer(settings.disconnectionLife.milliseconds), .integer(settings.voidTokenLife.milliseconds),
                ], reply: reply)
        }
        calls.tellMarked(answers[0][1])
        let banned = answers[0][2].integer ?? 0
        return Expelled(connections: Int(answers[0][0].integer ?? 0), bannedUntil: banned > 0 ? banned : nil)
    }

    func pardon(_ user: UserID) async throws(DirectoryError) -> Bool {
        let answers = try await ask([user]) { user, reply in
            store.call(
                Scripts.pardon, keys: [keys.verdict(on: user)],
                arguments: [.integer(calls.settings.disconnectionLife.milliseconds)], reply: reply)
        }
        return answers[0].integer == 1
    }

    func members(of room: RoomName, limit: Int, cursor: String?) async throws(DirectoryError) -> MemberPage {
        let hash = RedisArgument.string(keys.members(room).name)
        var place = try MemberCursor(read: cursor)
        var members: [Member] = []
        var seen: Set<UserID> = []
        let heads = try await ask([["HLEN", hash], ["HGET", .string(keys.head(room).name), "roster"]])
        // A scan may bring less than it was asked for, but a page takes no more than these questions.
        for _ in 0..<8 {
            let wanted = limit - members.count
            let reply = try await ask([["HSCAN", hash, .string(place.scan), "COUNT", .integer(Int64(wanted))]])[0]
            var found = stride(from: 0, to: reply[1].count - 1, by: 2).compactMap { index -> Member? in
                guard let name = reply[1][index].string else { return nil }
                return reply[1][index + 1].withBytes { PackedMember.unpack($0, user: UserID(unchecked: name)) }
            }
            // In the order of their names, so that a page may end in the midst of what one scan brought.
            found.sort { MemberCursor.isBefore($0.userId.string, $1.userId.string) }
            if let after = place.after { found.removeAll { !MemberCursor.isBefore(after, $0.userId.string) } }
            found.removeAll { seen.contains($0.userId) }
            let taken = found.prefix(wanted)
            members += taken
            seen.formUnion(taken.map(\.userId))
            if found.count > wanted, let last = taken.last {
                place.after = last.userId.string
                break
            }
            place = MemberCursor(scan: reply[0].string ?? "0", after: nil)
            if place.scan == "0" || members.count >= limit { break }
        }
        return MemberPage(
            members: members, count: Int(heads[0].integer ?? 0), rosterVersion: heads[1].integer ?? 0,
            next: place.isEnd ? nil : place.text)
    }
}

extension RedisPresenceDirectory {
    /// One page over a sorted set that every partition has: the sizes of all in one pipeline, then the parts of the
    /// page in another.
    private func page(
        of key: (Partition) -> Key, limit: Int, cursor text: String?
    ) async throws(DirectoryError) -> (names: [String], total: Int, next: String?) {
        guard let cursor = text.map(PageCursor.init) ?? PageCursor(partition: Partition.all[0], after: nil) else {
            throw .badCursor
        }
        let counts = try await ask(Partition.all.map { ["ZCARD", .string(key($0).name)] }).map { Int($0.integer ?? 0) }
        // How many of the cursor's own partition lie behind it is not known: it counts as none of them.
        var expected = 0
        var last = cursor.partition.number
        while last + 1 < Partition.count, expected <= limit {
            last += 1
            expected += counts[last]
        }
        let partitions = Partition.all[cursor.partition.number...last].filter { counts[$0.number] > 0 }
        let replies = try await ask(partitions) { partition, reply in
            var arguments: [RedisArgument] = [.integer(Int64(limit + 1))]
            if partition == cursor.partition, let after = cursor.after {
                arguments += [.integer(after.score), .string(after.member)]
            }
            store.call(Scripts.page, keys: [key(partition)], arguments: arguments, reply: reply)
        }
        var found: [(name: String, cursor: PageCursor)] = []
        for (partition, reply) in zip(partitions, replies) {
            for index in stride(from: 0, to: reply.count - 1, by: 2) where found.count <= limit {
                guard let name = reply[index].string, let score = reply[index + 1].integer else { continue }
                found.append(
                    (name, PageCursor(partition: partition, after: PageCursor.Place(score: score, member: name))))
            }
        }
        let names = found.prefix(limit).map(\.name)
        var next: String?
        if found.count > limit {
            next = found[limit - 1].cursor.text
        } else if last + 1 < Partition.count {
            next = PageCursor(partition: Partition.all[last + 1], after: nil).text
        }
        return (names, counts.reduce(0, +), next)
    }

    private func ask(_ commands: [[RedisArgument]]) async throws(DirectoryError) -> [RedisReply] {
        try await ask(commands) { command, reply in store.link.send(command, reply: reply) }
    }

    /// Sends all at once and waits for all answers, in order.
    private func ask<Question: Sendable>(
        _ questions: [Question],
        _ send: (Question, @escaping @Sendable (Result<RedisReply, RedisError>) -> Void) -> Void
    ) async throws(DirectoryError) -> [RedisReply] {
        let replies = questions.map { question in
            let promise = store.link.eventLoop.makePromise(of: RedisReply.self)
            send(question) { promise.completeWith($0.mapError { $0 as any Error }) }
            return promise.futureResult
        }
        var answers: [RedisReply] = []
        answers.reserveCapacity(replies.count)
        var failure: DirectoryError?
        for reply in replies {
            do {
                answers.append(try await reply.get())
            } catch {
                failure = failure ?? .backend(.unavailable(reason: "\(error)"))
            }
        }
        if let failure { throw failure }
        return answers
    }
}

extension String? {
    /// Nil in place of an empty text.
    fileprivate var nonEmpty: String? { self == "" ? nil : self }
}
