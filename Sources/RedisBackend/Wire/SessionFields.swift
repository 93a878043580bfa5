import GatewayCore
import RedisClient

/// The fields of a session's record: `c` connection, `a` its address, `d` what its client speaks where that is not the gateway's
/// own, and a field `r:<room>` for each room; the others only the scripts read.
package struct SessionFields: Sendable {
    package private(set) var connection: String?
    package private(set) var address: String?
    /// Nil where it is none that this version knows.
    package private(set) var dialect: ClientDialect? = .native
    package private(set) var rooms: [RoomName] = []

    /// Of a session that there is not.
    init() {}

    /// As it is written; empty: not at all.
    static func dialect(of connection: PresenceConnection) -> String {
        connection.dialect == .native ? "" : connection.dialect.rawValue
    }

    init(_ fields: [(name: RedisReply, value: RedisReply)]) {
        for (name, value) in fields {
            guard let field = name.string else { continue }
            switch field {
            case "c": connection = value.string
            case "a": address = value.string
            case "d": dialect = value.string.flatMap { ClientDialect(rawValue: $0) }
            case _ where field.hasPrefix("r:"): rooms.append(RoomName(unchecked: String(field.dropFirst(2))))
            default: break
            }
        }
        rooms.sort { $0.string < $1.string }
    }
}
