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
}

/// The reason why a room's settings were not changed.
package enum GovernError: Error, Hashable, Sendable {
    /// They have another version by now; 0 where there are none.
    case moved(to: Int64)
    /// A node of an earlier release, which knows of no settings, still serves the rooms.
    case nodesDiffer
    /// The room keeps no roster, so that nobody can be kept out of it.
    case noRoster
    case backend(BackendError)
}
