/// The names of rooms and users that belong to apps which share neither with native clients: a colon, the app's id and
/// another colon stand before them.
package enum AppFence {
    /// What the names of further apps begin with, where there are such.
    package static let mark = ":"

    /// Whether it is the name of a further app's, where there are such.
    package static func isForeign(_ name: String) -> Bool { name.utf8.first == UInt8(ascii: ":") }

    /// The same of a room, or of the user whose inbox it is.
    package static func isForeign(_ room: RoomName) -> Bool {
        room.isInbox ? room.string.utf8.dropFirst().first == UInt8(ascii: ":") : isForeign(room.string)
    }

    /// Whether an app's backend has to say who may be in a room of this name.
    package static func isSigned(_ room: RoomName) -> Bool { isSigned(room.string) }

    /// The same of all names that a pattern matches.
    static func isSigned(_ name: String) -> Bool {
        name.utf8.starts(with: "private-".utf8) || name.utf8.starts(with: "presence-".utf8)
    }
}
