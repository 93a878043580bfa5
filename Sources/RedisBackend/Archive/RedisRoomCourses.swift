import GatewayCore
import RedisClient

/// The epochs of rooms, by their heads.
struct RedisRoomCourses: RoomCourses {
    let store: Store

    func course(of room: RoomName, reply: @escaping @Sendable (Result<EpochCourse?, BackendError>) -> Void) {
        store.send(.course(ofHead: store.keys.head(room))) { reply($0.mapError(BackendError.init)) }
    }
}

extension KeyCommand where Answer == EpochCourse? {
    /// Nil where the room has no head.
    package static func course(ofHead key: Key) -> Self {
        KeyCommand("HMGET", key, ["epoch", "seq", "ends"]) { reply in
            guard reply.count == 3 else { return nil }
            guard let epoch = reply[0].string, let seq = reply[1].integer else { return .some(nil) }
            return .some(EpochCourse(head: Position(epoch: epoch, seq: Int(seq)), ends: reply[2].string ?? ""))
        }
    }
}
