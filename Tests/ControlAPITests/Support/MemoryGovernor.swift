import GatewayCore
import Synchronization

/// Rooms' settings in memory, as a test gives them.
final class MemoryGovernor: RoomGovernor, Sendable {
    struct State {
        var rooms: [RoomName: RoomState] = [:]
        /// What others do between a look at the settings and the change.
        var interference = 0
        var failure: GovernError?
        /// Each change in words.
        var asked: [String] = []
        var orders: [RoomOrder] = []
        var roles = RoomRoles()
    }

    let state = Mutex(State())

    func state(of room: RoomName) async throws(BackendError) -> RoomState {
        state.withLock { state in
            let found = state.rooms[room] ?? .absent
            if state.interference > 0 {
                state.interference -= 1
                state.rooms[room] = RoomState(version: found.version + 1, settings: found.settings)
            }
            return found
        }
    }

    func govern(
        _ room: RoomName, by settings: RoomSettings, replacing version: Int64
    ) async throws(GovernError) -> Int64 {
        try change(room, to: RoomState(version: 0, settings: settings.text, expires: settings.expires), at: version)
    }

    func close(_ room: RoomName, at version: Int64, withLog: Bool) async throws(GovernError) -> Int64 {
        state.withLock { $0.asked.append("close \(room) \(withLog)") }
        return try change(room, to: .closed(at: 1), at: version)
    }

    func roles(in room: RoomName) async throws(BackendError) -> RoomRoles { state.withLock { $0.roles } }

    func carryOut(_ order: RoomOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        let result: Result<Int64, GovernError> = state.withLock { state in
            state.orders.append(order)
            return state.failure.map { .failure($0) } ?? .success(7)
        }
        reply(result)
    }

    // The control port asks neither.

    func redact(_ order: RedactionOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        reply(.failure(.denied(.right)))
    }

    func reading(
        by user: UserID, in room: RoomName,
        reply: @escaping @Sendable (Result<RoomReading?, BackendError>) -> Void
    ) { reply(.success(nil)) }

    func invite(_ user: UserID, to room: RoomName) async throws(GovernError) -> Int {
        _ = try await carryOut(RoomOrder(.admit, user, in: room))
        return 2
    }

    private func change(_ room: RoomName, to next: RoomState, at version: Int64) throws(GovernError) -> Int64 {
        let result: Result<Int64, GovernError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            let present = state.rooms[room] ?? .absent
            let shown = present.isGoverned ? present.version : 0
            guard shown == version else { return .failure(.moved(to: shown)) }
            state.rooms[room] = RoomState(
                version: present.version + 1, settings: next.settings, expires: next.expires, isClosed: next.isClosed)
            return .success(present.version + 1)
        }
        return try result.get()
    }
}
