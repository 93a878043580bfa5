import GatewayCore
import Synchronization

/// Takes away what it is told to have.
final class FixedErasure: MessageErasure {
    struct State {
        /// By room, how many messages it had.
        var rooms: [RoomName: Int] = [:]
        /// Each call in words.
        var asked: [String] = []
    }

    let state = Mutex(State())

    func redact(
        _ seq: Int, of epoch: String?, in room: RoomName,
        reply: @escaping @Sendable (Result<Redacted?, BackendError>) -> Void
    ) {
        let found = state.withLock { state in
            state.asked.append("redact \(room) \(epoch ?? "-") \(seq)")
            return seq <= state.rooms[room] ?? 0
        }
        let position = Position(epoch: epoch ?? "e", seq: seq)
        reply(.success(found ? Redacted(position: position, version: 3) : nil))
    }

    func erase(_ user: UserID) async throws(BackendError) -> Erased {
        state.withLock { $0.asked.append("erase \(user)") }
        return Erased(rooms: 2, messages: 5)
    }
}
