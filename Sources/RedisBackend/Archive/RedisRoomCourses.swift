import GatewayCore
import RedisClient

/// The epochs of rooms, by their heads.
struct RedisRoomCourses: RoomCourses {
    let store: Store

    func course(of room: RoomName, reply: @escaping @Sendable (Result<EpochCourse?, BackendError>) -> Void) {
        store.send(.course(ofHead: store.keys.head(room))) { reply($0.mapError(BackendError.init)) }
    }
}
