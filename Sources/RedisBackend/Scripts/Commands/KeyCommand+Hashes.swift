import GatewayCore
import RedisClient

/// A field of a hash and what it holds.
package struct Field: Hashable, Sendable {
    package let name: String
    package let value: String
}

extension KeyCommand where Answer == Int64 {
    package static func size(ofHash key: Key) -> Self {
        KeyCommand("HLEN", key) { $0.integer }
    }

    /// Answers how many there were.
    package static func remove(_ field: String, from key: Key) -> Self {
        KeyCommand("HDEL", key, [.string(field)]) { $0.integer }
    }

    /// Adds to a number; answers what it is then.
    package static func add(_ count: Int, to field: String, of key: Key) -> Self {
        KeyCommand("HINCRBY", key, [.string(field), .count(count)]) { $0.integer }
    }
}

extension KeyCommand where Answer == String? {
    /// Nil where there is no such field.
    package static func field(_ name: String, of key: Key) -> Self {
        KeyCommand("HGET", key, [.string(name)]) { $0.isNull ? .some(nil) : $0.string }
    }
}

extension KeyCommand where Answer == [String?] {
    /// Nil for each that there is not.
    package static func fields(_ names: [String], of key: Key) -> Self {
        KeyCommand("HMGET", key, names.map { .string($0) }) { reply in
            reply.count == names.count ? reply.array.map { $0.map(\.string) } : nil
        }
    }
}

extension KeyCommand where Answer == Bool {
    package static func has(_ field: String, in key: Key) -> Self {
        KeyCommand("HEXISTS", key, [.string(field)]) { $0.integer.map { $0 == 1 } }
    }
}

extension KeyCommand where Answer == [String] {
    /// The names of all fields.
    package static func names(in key: Key) -> Self {
        KeyCommand("HKEYS", key) { $0.array == nil ? nil : $0.strings }
    }
}

extension KeyCommand where Answer == [Field] {
    package static func fields(of key: Key) -> Self {
        KeyCommand("HGETALL", key) { reply in
            reply.array == nil
                ? nil
                : reply.pairs.compactMap { name, value in
                    guard let name = name.string, let value = value.string else { return nil }
                    return Field(name: name, value: value)
                }
        }
    }
}

extension KeyCommand where Answer == Position? {
    /// Where a room's stream stands by its head; nil where it has none.
    package static func position(ofHead key: Key) -> Self {
        KeyCommand("HMGET", key, ["epoch", "seq"]) { reply in
            guard reply.count == 2 else { return nil }
            return .some(Position(standingIn: reply, at: 0))
        }
    }
}

extension KeyCommand where Answer == MembersScan {
    /// Some of a room's members from the beginning on, without saying at which server.
    package static func scan(members key: Key, about count: Int) -> Self {
        KeyCommand("HSCAN", key, ["0", "COUNT", .count(count)]) { reply in
            MembersScan(next: reply[0], members: reply[1], at: nil)
        }
    }
}

extension KeyCommand where Answer == [RoomName] {
    /// Some of the rooms that are a hash's fields, as chance has it.
    package static func someRooms(of key: Key, most: Int) -> Self {
        KeyCommand("HRANDFIELD", key, [.count(most)]) { reply in
            reply.array == nil ? nil : reply.strings.map(RoomName.init(unchecked:))
        }
    }
}
