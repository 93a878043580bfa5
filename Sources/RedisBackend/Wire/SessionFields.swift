import GatewayCore
import RedisClient

/// The fields of a session's record: `c` connection, `a` its address and, behind a blank, what its client speaks where that is
/// not the gateway's own, and a field `r:<room>` for each room; the others
/// only the scripts read.
package struct SessionFields: Sendable {
    package private(set) var connection: String?
    package private(set) var address: String?
    package private(set) var dialect = ClientDialect.native
    package private(set) var rooms: [RoomName] = []

    /// Of a session that there is not.
    init() {}

    /// As it is written.
    static func address(of connection: PresenceConnection) -> String {
        connection.dialect == .native ? connection.address : "\(connection.address) \(connection.dialect.rawValue)"
    }

    init(_ fields: [(name: RedisReply, value: RedisReply)]) {
        for (name, value) in fields {
            guard let field = name.string else { continue }
            switch field {
            case "c": connection = value.string
            case "a":
                let words = (value.string ?? "").split(separator: " ", omittingEmptySubsequences: false)
                address = words.first.map { String($0) }
                // What a later version writes is no reason to tell nothing.
                if words.count > 1 { dialect = ClientDialect(rawValue: String(words[1])) ?? .native }
            case _ where field.hasPrefix("r:"): rooms.append(RoomName(unchecked: String(field.dropFirst(2))))
            default: break
            }
        }
        rooms.sort { $0.string < $1.string }
    }
}
