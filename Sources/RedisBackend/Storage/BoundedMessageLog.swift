import GatewayCore

/// A log to which only so much is on its way at a time: what is more is `unavailable` at once, so that a Redis that
/// stands still does not fill the node.
package struct BoundedMessageLog: MessageLog {
    private let log: any MessageLog
    private let memory: MemoryAccount

    package init(_ log: any MessageLog, memory: MemoryAccount) {
        self.log = log
        self.memory = memory
    }

    package func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        let bytes = publication.memoryBytes
        guard memory.admitPublish(bytes) else {
            return reply(.failure(.unavailable(reason: "too many messages are on their way to Redis")))
        }
        log.publish(publication) { [memory] result in
            memory.add(-bytes, to: .publishes)
            reply(result)
        }
    }

    package func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        log.history(of: room, range: range, reply: reply)
    }

    package func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        log.claim(key: key, digest: digest, id: id, beside: room, reply: reply)
    }
}
