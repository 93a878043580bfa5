/// Tells of which epochs a room's messages are.
package protocol RoomCourses: Sendable {
    /// Nil where Redis knows nothing of the room.
    func course(of room: RoomName, reply: @escaping @Sendable (Result<EpochCourse?, BackendError>) -> Void)
}
