import GatewayCore
import RedisClient

/// Writes a room into a session, or takes it out, while the session names the caller's connection.
package struct Remember: Script {
    package enum Answer: Hashable, Sendable {
        case written
        /// The session is gone or names another connection.
        case notNamed
    }

    let session: SessionID
    let connection: String
    let room: RoomName
    /// Whether the connection is in the room.
    let isIn: Bool
    /// What was said to be shown of its user there; empty where nothing was.
    let info: [UInt8]

    package init(_ room: RoomName, isIn: Bool, info: [UInt8] = [], connection: String, session: SessionID) {
        self.session = session
        self.connection = connection
        self.room = room
        self.isIn = isIn
        self.info = info
    }

    package var file: RedisScript { Scripts.remember }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.session(session)],
            arguments: [.string(connection), isIn ? "add" : "remove", .string(room.string), .bytes(info)])
    }
}

extension Remember.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notNamed
        case 1: self = .written
        default: return nil
        }
    }
}
