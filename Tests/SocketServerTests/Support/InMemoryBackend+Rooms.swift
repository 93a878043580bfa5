import GatewayCore

extension InMemoryBackend: RoomGovernor {
    /// The orders of clients so far.
    var orders: [RoomOrder] { state.withLock { $0.orders } }

    func answerOrders(_ answer: Result<Int64, GovernError>) { state.withLock { $0.orderAnswer = answer } }

    func carryOut(_ order: RoomOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        let answer = state.withLock { state in
            state.orders.append(order)
            return state.orderAnswer
        }
        reply(answer)
    }

    /// The payloads that clients had taken away so far.
    var redactions: [RedactionOrder] { state.withLock { $0.redactions } }

    func redact(_ order: RedactionOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        let answer = state.withLock { state in
            state.redactions.append(order)
            return state.orderAnswer
        }
        reply(answer)
    }

    /// What a user may read in rooms that nobody follows here.
    func answerReadings(_ reading: RoomReading?) { state.withLock { $0.reading = reading } }

    func reading(
        by user: UserID, in room: RoomName,
        reply: @escaping @Sendable (Result<RoomReading?, BackendError>) -> Void
    ) {
        reply(.success(state.withLock { $0.reading }))
    }

    /// As if something had been decided elsewhere that puts a connection out, or in.
    func tell(_ delivery: StreamDelivery) {
        for sink in state.withLock({ $0.sinks }) { sink.receive([delivery]) }
    }

    // The client port asks nothing else.

    func state(of room: RoomName) async throws(BackendError) -> RoomState { .absent }
    func roles(in room: RoomName) async throws(BackendError) -> RoomRoles { RoomRoles() }
    func govern(
        _ room: RoomName, by settings: RoomSettings, replacing version: Int64
    ) async throws(GovernError) -> Int64 { throw .nodesDiffer }
    func close(_ room: RoomName, at version: Int64, withLog: Bool) async throws(GovernError) -> Int64 {
        throw .nodesDiffer
    }
    func invite(_ user: UserID, to room: RoomName) async throws(GovernError) -> Int { 0 }
}
