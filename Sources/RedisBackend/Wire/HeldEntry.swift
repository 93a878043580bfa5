import GatewayCore

/// One thing that a node holds in a partition, as its set in Redis names it.
package enum HeldEntry: Hashable, Sendable {
    case user(UserID, connection: String)
    case member(UserID, connection: String, room: RoomName)
    /// Connections in a room that show nobody there; in `linger` that the grace of one runs.
    case guests(RoomName)
    /// How many connections a room has is still to be told; in `linger` alone.
    case count(RoomName)

    /// Nil where the text is not what `text` spells: a room's name has no bar, nor has a connection's.
    package init?(_ text: String) {
        let bar = UInt8(ascii: "|")
        let bytes = text.utf8
        guard let first = bytes.firstIndex(of: bar) else { return nil }
        let rest = bytes[bytes.index(after: first)...]
        switch bytes[..<first].first {
        case UInt8(ascii: "g"):
            self = .guests(RoomName(unchecked: String(Substring(rest))))
            return
        case UInt8(ascii: "n"):
            self = .count(RoomName(unchecked: String(Substring(rest))))
            return
        case _: break
        }
        guard let second = rest.firstIndex(of: bar), let last = rest.lastIndex(of: bar) else { return nil }
        switch bytes[..<first].first {
        case UInt8(ascii: "u"):
            self = .user(
                UserID(unchecked: String(Substring(rest[rest.index(after: second)...]))),
                connection: String(Substring(rest[..<second])))
        case UInt8(ascii: "r"):
            guard last > second else { return nil }
            self = .member(
                UserID(unchecked: String(Substring(rest[rest.index(after: second)..<last]))),
                connection: String(Substring(rest[rest.index(after: last)...])),
                room: RoomName(unchecked: String(Substring(rest[..<second]))))
        default:
            return nil
        }
    }

    package var text: String {
        switch self {
        case .user(let user, let connection): "u|\(connection)|\(user)"
        case .member(let user, let connection, let room): "r|\(room)|\(user)|\(connection)"
        case .guests(let room): "g|\(room)"
        case .count(let room): "n|\(room)"
        }
    }

    /// Nil for guests, who are counted, and for their number.
    package var connection: String? {
        switch self {
        case .user(_, let connection), .member(_, let connection, _): connection
        case .guests, .count: nil
        }
    }

    package var partition: Partition {
        switch self {
        case .user(let user, _): Partition(of: user.string)
        case .member(_, _, let room), .guests(let room), .count(let room): Partition(of: room)
        }
    }
}
