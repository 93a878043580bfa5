import GatewayCore

/// What the sockets tell.
extension PresenceRegistry: Presence {
    func connect(
        _ connection: PresenceConnection, resuming: SessionResumption?, reply: @escaping Registered
    ) {
        loop.execute { [self] in
            guard held.connect(connection, session: SessionID(of: connection.userId)) else {
                return reply(.failure(.backend(.conflict)))
            }
            perform(.connect(connection.id, resuming: resuming, reply: reply))
        }
    }

    func disconnect(_ id: String, _ departure: Departure) {
        loop.execute { [self] in depart(id, departure) }
    }

    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            let isNew = held[id]?.rooms[room] == nil
            guard held.join(room, connection: id, info: info) else {
                return reply(.failure(PresenceRegistry.gone))
            }
            perform(.join(room, id, isNew: isNew, replaced: nil, reply: reply))
        }
    }

    func joinQuietly(_ room: RoomName, connection id: String) {
        loop.execute { [self] in
            held.joinQuietly(room, connection: id)
            perform(.remember(room, id))
        }
    }

    func leave(_ room: RoomName, connection id: String) {
        loop.execute { [self] in
            if held.leaveQuietly(room, connection: id) { perform(.remember(room, id)) }
            guard let connection = held.leave(room, connection: id) else { return }
            perform(.leave(room, connection, .farewell(.explicit)))
        }
    }

    func signal(
        _ signal: Signal, connection id: String, reply: @escaping @Sendable (Result<Void, SignalError>) -> Void
    ) {
        loop.execute { [self] in perform(.signal(signal, id, reply: reply)) }
    }

    func admits(_ user: UserID, issuedAt: Int64?, reply: @escaping @Sendable (Clearance) -> Void) {
        calls.admit(user, issuedAt: issuedAt) { result in
            guard case .success(let answer) = result else { return reply(.unknown) }
            switch answer[0].string {
            case "banned": reply(.banned)
            case "void": reply(.tokenVoid)
            default: reply(.admitted)
            }
        }
    }

    /// A farewell asks Redis first whether the session has gone on elsewhere: then the rooms keep their grace, so that
    /// the connection which took over finds its place there.
    func depart(_ id: String, _ departure: Departure) {
        guard let gone = held.disconnect(id) else { return }
        forgetMark(gone.connection)
        if case .abrupt = departure {
            for room in gone.rooms.keys { perform(.leave(room, gone.connection, departure)) }
        }
        perform(.disconnect(gone, departure))
    }
}
