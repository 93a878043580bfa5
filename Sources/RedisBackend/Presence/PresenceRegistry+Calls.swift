import GatewayCore
import NIOCore
import RedisClient

/// Carrying out what was told, in order.
extension PresenceRegistry {
    func perform(_ operation: Operation) {
        guard let writer = admitted() else { return wait(operation) }
        switch operation {
        case .connect(let id, let resuming, let reply):
            guard let connection = held[id] else { return reply(.failure(.backend(PresenceRegistry.gone))) }
            if let resuming, let session = seal.open(resuming.session),
                session.partition == connection.session.partition
            {
                resume(session, resuming, connection, operation, writer, reply)
            } else {
                connect(connection, operation, writer, reply)
            }
        case .join(let room, let id, let isNew, let replaced, let reply):
            guard let connection = held[id], let info = connection.rooms[room] else {
                return reply(.failure(PresenceRegistry.gone))
            }
            join(room, connection, info, operation, isNew: isNew, replaced: replaced, writer, reply)
        case .leave(let room, let connection, let departure):
            leave(room, connection, departure, operation, writer)
        case .evict(let room, let id, let user):
            send(operation) {
                calls.leave(
                    room, connection: id, of: user, holder: .anybody(caller: writer), departure: .farewell(.explicit),
                    reply: $0)
            }
        case .remember(let room, let id):
            guard let connection = held[id] else { return }
            send(operation) {
                calls.remember(room, id, session: connection.session, isIn: connection.isIn(room), reply: $0)
            }
        case .disconnect(let gone, let departure):
            disconnect(gone, departure, operation, writer)
        case .signal(let signal, let id, let reply):
            self.signal(signal, id, reply)
        }
    }

    /// A call whose answer says nothing; without one it is made again.
    private func send(_ operation: Operation, _ call: (@escaping PresenceCalls.Reply) -> Void) {
        entered()
        call { [self] result in
            if case .failure = result { wait(operation) }
            left()
        }
    }

    func connect(
        _ connection: HeldConnections.Held, _ operation: Operation, _ writer: Holder, _ reply: @escaping Registered
    ) {
        let (id, user) = (connection.connection.id, connection.connection.userId)
        entered()
        held.asked(id, incarnation: writer.incarnation)
        streams?.expectInbox(of: user)
        let partition = connection.session.partition
        calls.connect(
            connection.connection, session: connection.session, holder: writer,
            isKnown: announcedIn.contains(partition), since: connection.since, isAgain: false
        ) { [self] result in
            defer { left() }
            let position: Position? = if case .success(let answer) = result { Position(inboxIn: answer) } else { nil }
            streams?.inbox(of: user, standsAt: position)
            guard case .success(let answer) = result else { return wait(operation) }
            switch answer[0].string {
            case "ok":
                noteHolder(writer, in: partition)
                held.registered(id, since: answer[1].integer ?? 0)
                // What was joined since this was asked for found no session yet.
                rememberRooms(of: connection)
                calls.tellMarked(answer[4])
                reply(
                    .success(
                        Registration(session: seal.seal(connection.session), timestamp: answer[2].integer ?? 0)))
            case "fenced":
                wait(operation)
                fenced(writer, at: answer[1].integer ?? 0)
            case "banned":
                forget(id)
                reply(.failure(.banned))
            case "void":
                forget(id)
                reply(.failure(.tokenVoid))
            case "full":
                forget(id)
                reply(.failure(.tooManyConnections))
            default:
                forget(id)
                reply(.failure(.backend(.unavailable(reason: "connect answered in another shape"))))
            }
        }
    }

    private func disconnect(
        _ gone: HeldConnections.Held, _ departure: Departure, _ operation: Operation, _ writer: Holder
    ) {
        entered()
        calls.disconnect(gone.connection, session: gone.session, holder: writer, departure: departure) {
            [self] result in
            defer { left() }
            guard case .success(let answer) = result else { return wait(operation) }
            guard case .farewell(let cause) = departure else { return }
            let hasMovedOn = answer.integer == 2
            for room in gone.rooms.keys {
                perform(.leave(room, gone.connection, hasMovedOn ? .abrupt(cause) : departure))
            }
        }
    }

    private func join(
        _ room: RoomName, _ connection: HeldConnections.Held, _ info: [UInt8], _ operation: Operation, isNew: Bool,
        replaced: String?, _ writer: Holder, _ reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        let id = connection.connection.id
        entered()
        let partition = Partition(of: room)
        calls.join(
            room, connection.connection, info: info, holder: writer, isKnown: announcedIn.contains(partition),
            isAgain: false, replaced: replaced
        ) { [self] result in
            defer { left() }
            switch result {
            case .success(let answer) where answer[0].string == "ok":
                noteHolder(writer, in: partition)
                // The room's members are the truth and come first; the session only remembers them, and a resumed one
                // does so already.
                if replaced == nil, held[id]?.rooms[room] != nil { perform(.remember(room, id)) }
                let roster = RosterState(
                    members: Int(answer[1].integer ?? 0), version: answer[2].integer ?? 0,
                    timestamp: answer[3].integer ?? 0)
                if let position = Position(standingIn: answer, at: 4) {
                    streams?.room(room, standsAt: position, roster)
                }
                reply(.success(roster))
            case .success(let answer) where answer[0].string == "fenced":
                wait(operation)
                fenced(writer, at: answer[1].integer ?? 0)
            case .success:
                fail(room, id, isNew, reply, .unavailable(reason: "join answered in another shape"))
            case .failure(let error):
                fail(room, id, isNew, reply, BackendError(error))
            }
        }
    }

    /// Whether Redis took the join is not known: the comparison takes it away again, unless the connection was in the
    /// room before, which a failure does not change.
    private func fail(
        _ room: RoomName, _ id: String, _ isNew: Bool,
        _ reply: @Sendable (Result<RosterState, BackendError>) -> Void, _ error: BackendError
    ) {
        if isNew {
            _ = held.leave(room, connection: id)
            perform(.remember(room, id))
        }
        doubtful.insert(Partition(of: room))
        reply(.failure(error))
    }

    private func leave(
        _ room: RoomName, _ connection: PresenceConnection, _ departure: Departure, _ operation: Operation,
        _ writer: Holder
    ) {
        // One that waited, and was overtaken by another join of the same connection, is void.
        guard held[connection.id]?.rooms[room] == nil else { return }
        if held[connection.id] != nil { perform(.remember(room, connection.id)) }
        send(operation) {
            calls.leave(
                room, connection: connection.id, of: connection.userId, holder: .node(writer), departure: departure,
                reply: $0)
        }
    }

    private func signal(
        _ signal: Signal, _ id: String, _ reply: @escaping @Sendable (Result<Void, SignalError>) -> Void
    ) {
        entered()
        calls.signal(signal, connection: id) { [self] result in
            defer { left() }
            switch result {
            case .success(let nodes):
                switch nodes.integer ?? 0 {
                case -1: reply(.failure(.notMember))
                case 0: reply(.failure(.notFound))
                default: reply(.success(()))
                }
            case .failure(let error):
                reply(.failure(.backend(BackendError(error))))
            }
        }
    }
}
