import GatewayCore

/// The registry in memory: sessions, rosters and who is online, with no grace.
extension InMemoryBackend: Presence {
    /// What the registry was told, in order: `join r alice`, `disconnect alice farewell closed`.
    var told: [String] { state.withLock { $0.told } }

    /// The names of a user's connections.
    func connections(of user: String) -> [String] {
        state.withLock { state in state.users.filter { $0.value.string == user }.map(\.key) }
    }

    func address(of connection: String) -> String? { state.withLock { $0.addresses[connection] } }

    func limitConnections(to count: Int) { state.withLock { $0.maxConnectionsPerUser = count } }

    /// Whether registrations wait for `releaseRegistrations`.
    func holdRegistrations() { state.withLock { $0.isRegistryHolding = true } }

    func releaseRegistrations() {
        let held = state.withLock { state in
            state.isRegistryHolding = false
            defer { state.heldRegistrations = [] }
            return state.heldRegistrations
        }
        for answer in held { answer() }
    }

    func connect(
        _ connection: PresenceConnection, resuming: SessionResumption?,
        reply: @escaping @Sendable (Result<Registration, RegistrationError>) -> Void
    ) {
        let answer: (@Sendable () -> Void)? = state.withLock { state in
            let result = InMemoryBackend.register(connection, resuming, &state)
            guard state.isRegistryHolding else { return { reply(result) } }
            state.heldRegistrations.append { reply(result) }
            return nil
        }
        answer?()
    }

    private static func register(
        _ connection: PresenceConnection, _ resuming: SessionResumption?, _ state: inout State
    ) -> Result<Registration, RegistrationError> {
        let user = connection.userId
        if state.isAway { return .failure(.backend(.unavailable(reason: "away"))) }
        state.told.append("connect \(user)")
        guard state.users.values.count(where: { $0 == user }) < state.maxConnectionsPerUser else {
            return .failure(.tooManyConnections)
        }
        let wasOnline = state.users.values.contains(user)
        state.users[connection.id] = user
        state.addresses[connection.id] = connection.address
        if !wasOnline { tellStatus(of: user, isOnline: true, &state) }
        if let resuming, let session = state.sessions[resuming.session], session.user == user {
            return .success(resume(resuming, session, as: connection, &state))
        }
        let name = "s\(state.sessions.count + 1)"
        state.sessions[name] = Session(user: user)
        state.sessionOf[connection.id] = name
        let miss: SessionMiss? = resuming.map { state.sessions[$0.session] == nil ? .unknown : .otherUser }
        return .success(Registration(session: name, timestamp: 1000, missed: miss))
    }

    private static func resume(
        _ resuming: SessionResumption, _ session: Session, as connection: PresenceConnection, _ state: inout State
    ) -> Registration {
        let old = state.sessionOf.first { $0.value == resuming.session }?.key
        state.sessionOf[connection.id] = resuming.session
        let rooms = session.rooms.sorted { $0.string < $1.string }
        for room in rooms {
            guard var entry = state.rooms[room], entry.rosterVersion > 0 else { continue }
            let wasThere = entry.connections.contains { $0.user == connection.userId }
            entry.connections.removeAll { $0.id == old }
            if resuming.isAllowed(room) { entry.connections.append((connection.id, connection.userId)) }
            if !wasThere { entry.rosterVersion += 1 }
            state.rooms[room] = entry
        }
        if let old {
            state.sessionOf[old] = nil
            for sink in state.sinks { sink.receive([.close(connection: old, reason: .replaced, text: "resumed")]) }
        }
        let resumed = ResumedSession(
            rooms: rooms.filter(resuming.isAllowed), forbidden: rooms.filter { !resuming.isAllowed($0) })
        state.sessions[resuming.session]?.rooms = Set(resumed.rooms)
        return Registration(session: resuming.session, timestamp: 1000, resumed: resumed)
    }

    func connectVisitor(_ id: String) { state.withLock { $0.told.append("visitor") } }

    func noteMiss(in room: RoomName) { state.withLock { $0.told.append("miss \(room)") } }

    func attend(_ room: RoomName, connection id: String) { state.withLock { $0.told.append("attend \(room)") } }

    func join(
        _ room: RoomName, connection id: String, as member: UserID, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            InMemoryBackend.join(room, id, member, info, reply, &state)
        }
    }

    func disconnect(_ id: String, _ departure: Departure) {
        state.withLock { state in
            let kind =
                switch departure {
                case .farewell: "farewell"
                case .abrupt: "abrupt"
                }
            let user = state.users.removeValue(forKey: id)
            state.told.append("disconnect \(user?.string ?? "nobody") \(kind) \(departure.cause.rawValue)")
            for room in state.rooms.keys { InMemoryBackend.remove(id, from: room, &state) }
            if let user, !state.users.values.contains(user) {
                InMemoryBackend.tellStatus(of: user, isOnline: false, &state)
            }
        }
    }

    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            guard let user = state.users[id] else { return reply(.failure(.conflict)) }
            InMemoryBackend.join(room, id, user, info, reply, &state)
        }
    }

    private static func join(
        _ room: RoomName, _ id: String, _ user: UserID, _ info: [UInt8],
        _ reply: @Sendable (Result<RosterState, BackendError>) -> Void, _ state: inout State
    ) {
        state.told.append("join \(room) \(user)")
        var entry = state.rooms[room] ?? Room()
        let isNew = !entry.connections.contains { $0.user == user }
        entry.connections.append((id, user))
        if isNew { entry.rosterVersion += 1 }
        state.rooms[room] = entry
        if let session = state.sessionOf[id] { state.sessions[session]?.rooms.insert(room) }
        if isNew {
            let event = RosterEvent(kind: .join, userId: user, info: info, connection: id)
            tell(event, in: room, &state)
        }
        reply(.success(entry.roster))
    }

    func show(
        _ info: [UInt8], in rooms: [RoomName], connection id: String,
        reply: @escaping @Sendable (Result<Void, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            guard let user = state.users[id] else { return reply(.failure(.conflict)) }
            for room in rooms {
                state.told.append("show \(room) \(user) \(String(decoding: info, as: UTF8.self))")
                state.rooms[room]?.rosterVersion += 1
                let event = RosterEvent(kind: .update, userId: user, info: info, connection: nil)
                InMemoryBackend.tell(event, in: room, &state)
            }
            reply(.success(()))
        }
    }

    func setState(
        _ state: UserState, connection id: String, reply: @escaping @Sendable (Result<Void, BackendError>) -> Void
    ) {
        self.state.withLock { $0.told.append("state \(state.rawValue) \($0.users[id]?.string ?? "nobody")") }
        reply(.success(()))
    }

    func joinQuietly(_ room: RoomName, connection id: String) {
        state.withLock { state in
            state.told.append("note \(room) \(state.users[id]?.string ?? "nobody")")
            if let session = state.sessionOf[id] { state.sessions[session]?.rooms.insert(room) }
        }
    }

    func leave(_ room: RoomName, connection id: String) {
        state.withLock { state in
            state.told.append("leave \(room) \(state.users[id]?.string ?? "nobody")")
            if let session = state.sessionOf[id] { state.sessions[session]?.rooms.remove(room) }
            InMemoryBackend.remove(id, from: room, &state)
        }
    }

    private static func remove(_ id: String, from room: RoomName, _ state: inout State) {
        guard let index = state.rooms[room]?.connections.firstIndex(where: { $0.id == id }),
            let user = state.rooms[room]?.connections.remove(at: index).user,
            state.rooms[room]?.connections.contains(where: { $0.user == user }) == false
        else { return }
        state.rooms[room]?.rosterVersion += 1
        tell(RosterEvent(kind: .leave, userId: user, info: nil, connection: id), in: room, &state)
    }

    private static func tell(_ event: RosterEvent, in name: RoomName, _ state: inout State) {
        guard let room = state.rooms[name] else { return }
        let roster = room.roster
        let change = RosterChange(
            room: name, events: [event], members: roster.members, version: roster.version, timestamp: 1000)
        for hub in room.hubs { state.sinks[hub].receive([.presence(change)]) }
    }

    private static func tellStatus(of user: UserID, isOnline: Bool, _ state: inout State) {
        for hub in state.watchers[user] ?? [] {
            let change = StatusChange(userId: user, isOnline: isOnline, timestamp: 1000)
            state.sinks[hub].receive([.status(change)])
        }
    }

    /// Tokens that were issued before this moment are void.
    func voidTokens(before moment: Int64) { state.withLock { $0.tokensBefore = moment } }

    func admits(_ user: UserID, issuedAt: Int64?, reply: @escaping @Sendable (Clearance) -> Void) {
        let before = state.withLock { $0.tokensBefore }
        reply(issuedAt.map { $0 < before } ?? false ? .tokenVoid : .admitted)
    }

    func signal(
        _ signal: Signal, connection id: String, reply: @escaping @Sendable (Result<Void, SignalError>) -> Void
    ) {
        state.withLock { state in
            let members = state.rooms[signal.room]?.connections ?? []
            guard members.contains(where: { $0.id == id }) else { return reply(.failure(.notMember)) }
            guard members.contains(where: { $0.user == signal.to }) else { return reply(.failure(.notFound)) }
            for sink in state.sinks { sink.receive([.signal(signal)]) }
            reply(.success(()))
        }
    }
}

extension InMemoryBackend: PresenceDirectory {
    func members(of room: RoomName, limit: Int, cursor: String?) async throws(DirectoryError) -> MemberPage {
        state.withLock { $0.beforePage }?()
        let (entry, fails) = state.withLock { ($0.rooms[room] ?? Room(), $0.failsPages) }
        if fails { throw .backend(.unavailable(reason: "test")) }
        var counts: [UserID: Int] = [:]
        for connection in entry.connections { counts[connection.user, default: 0] += 1 }
        let sorted = counts.sorted { $0.key.string < $1.key.string }
        var begin = 0
        if let cursor {
            guard let index = Int(cursor) else { throw .badCursor }
            begin = index
        }
        let page = sorted.dropFirst(begin).prefix(limit).map {
            Member(userId: $0.key, info: Array("{}".utf8), connections: $0.value)
        }
        let next = begin + page.count < sorted.count ? String(begin + page.count) : nil
        return MemberPage(members: page, count: sorted.count, rosterVersion: entry.rosterVersion, next: next)
    }

    func sharers(
        of user: UserID, in rooms: [RoomName], among users: [UserID]
    ) async throws(DirectoryError) -> Set<UserID> {
        state.withLock { state in
            let rosters = rooms.map { room in Set((state.rooms[room]?.connections ?? []).map(\.user)) }
            let shared = rosters.filter { $0.contains(user) }.reduce(Set<UserID>()) { $0.union($1) }
            return shared.intersection(users)
        }
    }

    // The client port asks nothing else.

    func users(limit: Int, cursor: String?) async throws(DirectoryError) -> UserPage { throw .badCursor }
    func user(_ user: UserID) async throws(DirectoryError) -> UserRecord? { throw .badCursor }
    func statuses(of users: [UserID]) async throws(DirectoryError) -> [UserStatus] { throw .badCursor }
    func rooms(limit: Int, cursor: String?) async throws(DirectoryError) -> RoomPage { throw .badCursor }
    func rooms(in span: RoomSpan, upTo limit: Int, among most: Int) async throws(DirectoryError) -> SpannedRooms {
        throw .badCursor
    }
    func room(_ room: RoomName) async throws(DirectoryError) -> RoomRecord? { throw .badCursor }
    func disconnect(_ user: UserID, _ expulsion: Expulsion) async throws(DirectoryError) -> Expelled {
        throw .badCursor
    }
    func pardon(_ user: UserID) async throws(DirectoryError) -> Bool { throw .badCursor }
}
