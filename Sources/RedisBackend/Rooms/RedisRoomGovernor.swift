import GatewayCore

/// The settings of rooms, and what users are in them, as Redis keeps them.
struct RedisRoomGovernor: RoomGovernor {
    /// The first in which nodes heed settings.
    private static let format = 3

    let store: Store
    let rules: RoomRules
    let settings: PresenceSettings
    /// The name of the store's link.
    let link: String
    let erasure: RedisMessageErasure

    func state(of room: RoomName) async throws(BackendError) -> RoomState {
        guard room.takesSettings else { return .absent }
        do {
            return try await store.read(ReadSettings(of: room))
        } catch {
            throw BackendError(error)
        }
    }

    func roles(in room: RoomName) async throws(BackendError) -> RoomRoles {
        guard room.takesSettings else { return RoomRoles() }
        do {
            return try await store.call(ReadRoles(of: room))
        } catch {
            throw BackendError(error)
        }
    }

    func govern(
        _ room: RoomName, by settings: RoomSettings, replacing version: Int64
    ) async throws(GovernError) -> Int64 {
        guard rules.presence(of: room) == .full || !settings.keepsOut else { throw .noRoster }
        return try await change(room, .set(settings), at: version)
    }

    func close(_ room: RoomName, at version: Int64, withLog: Bool) async throws(GovernError) -> Int64 {
        try await change(room, .close(withLog: withLog), at: version)
    }

    private func change(
        _ room: RoomName, _ change: Govern.Change, at version: Int64
    ) async throws(GovernError) -> Int64 {
        let govern = Govern(room, change, replacing: version, link: link, settings: settings)
        switch try await call(govern) {
        case .changed(let version, let nodes):
            store.tellMarked(nodes, life: settings.fenceLife)
            return version
        case .moved(let version): throw .moved(to: version)
        }
    }

    func carryOut(_ order: RoomOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        guard order.room.takesSettings else { return reply(.failure(.noRoster)) }
        guard rules.presence(of: order.room) == .full || !order.needsRoster else { return reply(.failure(.noRoster)) }
        call(Moderate(order, link: link, settings: settings)) { [store, settings] result in
            switch result {
            case .success(.done(let version, let nodes)):
                store.tellMarked(nodes, life: settings.fenceLife)
                reply(.success(version))
            case .success(.denied(let denial)): reply(.failure(.denied(denial)))
            case .success(.absent): reply(.failure(.absent))
            case .success(.crowded): reply(.failure(.crowded))
            case .failure(let error): reply(.failure(error))
            }
        }
    }

    func redact(_ order: RedactionOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        guard order.room.takesSettings else { return reply(.failure(.denied(.outside))) }
        erasure.redact(order, reply: reply)
    }

    func reading(
        by user: UserID, in room: RoomName,
        reply: @escaping @Sendable (Result<RoomReading?, BackendError>) -> Void
    ) {
        guard room.takesSettings else { return reply(.success(nil)) }
        store.send(.fields(["version", "role:\(user)", "roles"], of: store.keys.settings(of: room))) { result in
            reply(
                result.mapError(BackendError.init).map { found in
                    guard found[0] != nil else { return nil }
                    let role = found[1].map(RoleName.init(unchecked:)) ?? .member
                    return ReadingRoles(spelled: found[2] ?? "").reading(as: role)
                })
        }
    }

    func invite(_ user: UserID, to room: RoomName) async throws(GovernError) -> Int {
        _ = try await carryOut(RoomOrder(.admit, user, in: room))
        return try await call(Invite(user, to: room))
    }

    private func call<Called: Script>(_ script: Called) async throws(GovernError) -> Called.Answer {
        let result = await withCheckedContinuation { continuation in
            call(script) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Calls a script once all nodes heed what it writes.
    private func call<Called: Script>(
        _ script: Called, reply: @escaping @Sendable (Result<Called.Answer, GovernError>) -> Void
    ) {
        store.send(.field("format", of: store.keys.deployment)) { [store] borne in
            switch borne {
            case .failure(let error): reply(.failure(.backend(BackendError(error))))
            case .success(nil):
                reply(.failure(.backend(.unavailable(reason: "Redis is empty, and no node has registered there yet"))))
            case .success(let format?) where Int(format) ?? 0 < RedisRoomGovernor.format:
                reply(.failure(.nodesDiffer))
            case .success:
                store.call(script) { reply($0.mapError { .backend(BackendError($0)) }) }
            }
        }
    }
}
