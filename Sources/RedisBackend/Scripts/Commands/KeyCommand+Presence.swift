import GatewayCore
import RedisClient

extension KeyCommand where Answer == [CloseMark] {
    /// The connections of a partition that are to be closed.
    package static func marks(in key: Key) -> Self {
        KeyCommand("HGETALL", key) { reply in
            reply.array == nil
                ? nil
                : reply.pairs.compactMap { connection, mark in
                    guard let connection = connection.string, let mark = mark.string else { return nil }
                    return CloseMark(connection: connection, mark)
                }
        }
    }
}

extension KeyCommand where Answer == [ConnectionField] {
    /// A user's connections, without those in their grace.
    package static func connections(in key: Key, of user: UserID) -> Self {
        KeyCommand("HGETALL", key) { reply in
            reply.array == nil
                ? nil : reply.pairs.compactMap { ConnectionField(id: $0.string, record: $1.string, of: user) }
        }
    }
}

extension KeyCommand where Answer == SessionFields {
    package static func session(_ key: Key) -> Self {
        KeyCommand("HGETALL", key) { $0.array == nil ? nil : SessionFields($0.pairs) }
    }
}
