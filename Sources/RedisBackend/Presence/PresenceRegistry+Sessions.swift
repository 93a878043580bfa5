import GatewayCore
import NIOCore
import RedisClient

/// Going on with a session: the connection takes the place of the one before, in the registry and then in each room.
extension PresenceRegistry {
    func resume(
        _ session: SessionID, _ resuming: SessionResumption, _ connection: HeldConnections.Held,
        _ operation: Operation, _ writer: Holder, _ reply: @escaping Registered
    ) {
        let (id, user) = (connection.connection.id, connection.connection.userId)
        entered()
        held.asked(id, incarnation: writer.incarnation)
        streams?.expectInbox(of: user)
        calls.resume(
            session, connection.connection, holder: writer, isKnown: announcedIn.contains(session.partition)
        ) { [self] result in
            defer { left() }
            let position: Position? = if case .success(let answer) = result { Position(inboxIn: answer) } else { nil }
            streams?.inbox(of: user, standsAt: position)
            guard case .success(let answer) = result else { return wait(operation) }
            switch answer[0].string {
            case "ok":
                noteHolder(writer, in: session.partition)
                held.registered(id, since: answer[1].integer ?? 0)
                held.resumed(id, session)
                rememberRooms(of: connection)
                calls.tellMarked(answer[4])
                let registration = Registration(session: resuming.session, timestamp: answer[2].integer ?? 0)
                let rooms = (answer.array ?? []).dropFirst(7).compactMap { $0.string.map(RoomName.init(unchecked:)) }
                carry(rooms, of: answer[3].string ?? "", to: connection.connection, resuming, registration, reply)
            case "unknown":
                perform(.connect(id, resuming: nil, reply: reply))
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
                reply(.failure(.backend(.unavailable(reason: "session_resume answered in another shape"))))
            }
        }
    }

    /// Moves the rooms, in one pipeline, and answers when all are moved.
    private func carry(
        _ rooms: [RoomName], of replaced: String, to connection: PresenceConnection, _ resuming: SessionResumption,
        _ registration: Registration, _ reply: @escaping Registered
    ) {
        var resumed = ResumedSession(rooms: [], forbidden: [])
        var moving: [RoomName] = []
        for room in rooms {
            guard resuming.isAllowed(room) else {
                resumed.forbidden.append(room)
                continue
            }
            resumed.rooms.append(room)
            switch calls.rules.presence(of: room) {
            case .off: held.joinQuietly(room, connection: connection.id)
            case .full: moving.append(room)
            }
        }
        var registration = registration
        registration.resumed = resumed
        let move = Move(remaining: moving.count, registration: registration, reply: reply)
        for room in moving {
            guard held.join(room, connection: connection.id, info: resuming.info) else { break }
            perform(
                .join(room, connection.id, isNew: true, replaced: replaced) { [self] result in
                    move.remaining -= 1
                    if case .failure(let error) = result { move.error = error }
                    if move.remaining == 0 { finish(move, connection.id) }
                })
        }
        for room in resumed.forbidden {
            perform(.remember(room, connection.id))
            perform(.evict(room, replaced, connection.userId))
        }
        if moving.isEmpty || held[connection.id] == nil { finish(move, connection.id) }
    }

    private func finish(_ move: Move, _ id: String) {
        guard let reply = move.reply else { return }
        move.reply = nil
        guard held[id] != nil else { return reply(.failure(.backend(PresenceRegistry.gone))) }
        if let error = move.error {
            // The session stays: the client's next try takes over from here.
            depart(id, .abrupt(.lost))
            return reply(.failure(.backend(error)))
        }
        reply(.success(move.registration))
    }

    /// Rooms that are being moved.
    ///
    /// `@unchecked Sendable`: touched on the registry's loop only.
    private final class Move: @unchecked Sendable {
        var remaining: Int
        let registration: Registration
        var error: BackendError?
        /// Nil once it was called.
        var reply: Registered?

        init(remaining: Int, registration: Registration, reply: @escaping Registered) {
            self.remaining = remaining
            self.registration = registration
            self.reply = reply
        }
    }
}
