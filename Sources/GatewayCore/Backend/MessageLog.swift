/// Stores and reads the messages of rooms.
package protocol MessageLog: Sendable {
    /// Stores a message and sends it to the room's members on every node.
    ///
    /// `reply` is called exactly once, on any thread. What one caller publishes to a room is stored in the order of its calls.
    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void)

    /// Reads part of a room's log; `reply` is called exactly once, on any thread.
    func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void)

    /// Takes an idempotency key for a request, for 10 minutes from its first use.
    ///
    /// The answer is the id under which the first request with this key went, `id` itself when this is the first;
    /// `conflict` where the key was first used with another digest.
    ///
    /// - Parameter room: the first that the request is for: where rooms lie on several servers, the claim lies beside it.
    func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void)
}

extension MessageLog {
    package func publish(_ publication: Publication) async throws(BackendError) -> Published {
        try await answer { publish(publication, reply: $0) }
    }

    package func history(of room: RoomName, range: HistoryRange) async throws(BackendError) -> HistoryPage {
        try await answer { history(of: room, range: range, reply: $0) }
    }

    package func claim(
        key: String, digest: String, id: String, beside room: RoomName
    ) async throws(BackendError) -> String {
        try await answer { claim(key: key, digest: digest, id: id, beside: room, reply: $0) }
    }

    private func answer<Value: Sendable>(
        _ ask: (@escaping @Sendable (Result<Value, BackendError>) -> Void) -> Void
    ) async throws(BackendError) -> Value {
        try await withCheckedContinuation { continuation in
            ask { continuation.resume(returning: $0) }
        }.get()
    }
}
