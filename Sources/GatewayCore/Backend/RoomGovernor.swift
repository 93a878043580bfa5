/// The settings of rooms: each change is made once, on the version that its author has seen, and told to all who are in
/// the room.
package protocol RoomGovernor: Sendable {
    /// As they stand; of version 0 where there are none.
    func state(of room: RoomName) async throws(BackendError) -> RoomState

    /// Puts settings in the place of those with this version, 0 being none; answers the new version.
    func govern(
        _ room: RoomName, by settings: RoomSettings, replacing version: Int64
    ) async throws(GovernError) -> Int64

    /// Closes a room whose settings have this version, 0 being none: its members are put out, its settings are gone, and
    /// where that is asked for its log. Answers the version that tells of it.
    func close(_ room: RoomName, at version: Int64, withLog: Bool) async throws(GovernError) -> Int64

    /// Who is what in the room, up to a thousand of each kind.
    func roles(in room: RoomName) async throws(BackendError) -> RoomRoles

    /// Changes what a user is or may in a room; answers the room's version by then.
    ///
    /// `reply` is called exactly once, on any thread.
    func carryOut(_ order: RoomOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void)

    /// Takes a message's payload away for a client that is in the room, as far as its role allows that; again it changes
    /// nothing. Answers the version of the room's settings.
    ///
    /// `reply` is called exactly once, on any thread.
    func redact(_ order: RedactionOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void)

    /// What a user may read in a room that the caller does not follow; nil where the room is not governed.
    ///
    /// `reply` is called exactly once, on any thread.
    func reading(
        by user: UserID, in room: RoomName,
        reply: @escaping @Sendable (Result<RoomReading?, BackendError>) -> Void)

    /// Has live connections of a user join a room, as far as their tokens allow that; answers how many were told to.
    func invite(_ user: UserID, to room: RoomName) async throws(GovernError) -> Int
}

extension RoomGovernor {
    package func carryOut(_ order: RoomOrder) async throws(GovernError) -> Int64 {
        let result = await withCheckedContinuation { continuation in
            carryOut(order) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

/// The reason why a room's settings were not changed.
package enum GovernError: Error, Hashable, Sendable {
    /// They have another version by now; 0 where there are none.
    case moved(to: Int64)
    /// A node of an earlier release, which knows of no settings, still serves the rooms.
    case nodesDiffer
    /// The room keeps no roster, so that nobody can be kept out of it.
    case noRoster
    /// The client's role does not allow it.
    case denied(RoomDenial)
    /// The user is not in the room.
    case absent
    /// The room never had the message.
    case unknownMessage
    /// As many users have a role, are mute or banned as may be.
    case crowded
    case backend(BackendError)

    /// What a client or a backend is told.
    package var request: RequestError {
        switch self {
        case .moved(let version): RequestError(.conflict, "the room's settings have version \(version)")
        case .nodesDiffer:
            RequestError(
                .conflict, "a node of an earlier release, which knows of no settings, still serves the rooms")
        case .noRoster:
            RequestError(
                .conflict,
                "the room keeps no roster (presence: off): nobody can be kept out of it, put in or out, or be its host")
        case .denied(.outside): RequestError(.notMember, "join the room first")
        case .denied(.right): RequestError(.forbidden, "the role in the room does not allow it")
        case .denied(.rank): RequestError(.forbidden, "the other's role, or the one that is given, may more")
        case .absent: RequestError(.conflict, "the user is not in the room")
        case .unknownMessage:
            RequestError(.notFound, "seq: the room never had this message, or its epoch must be named")
        case .crowded: RequestError(.conflict, "too many users have a role, are mute or banned in the room")
        case .backend(let error): error.request
        }
    }
}
