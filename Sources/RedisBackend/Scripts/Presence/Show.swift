import GatewayCore
import RedisClient

/// Changes what the members of a room are shown of a user.
package struct Show: Script {
    package enum Answer: Hashable, Sendable {
        case shown
        /// The node does not hold the connection there, or no longer.
        case notHeld
    }

    let room: RoomName
    let connection: String
    let user: UserID
    /// A JSON object.
    let info: [UInt8]
    let holder: Holder

    package init(_ info: [UInt8], of user: UserID, in room: RoomName, connection: String, holder: Holder) {
        self.room = room
        self.connection = connection
        self.user = user
        self.info = info
        self.holder = holder
    }

    package var file: RedisScript { Scripts.show }

    package func spelled(with keys: Keys) -> ScriptCall {
        let channel = keys.channel(room)
        return ScriptCall(
            keys: [keys.members(room), keys.head(room)],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection), .string(user.string),
                .bytes(info), .milliseconds(LogLimits.emptyHeadLife), keys.publish, .string(channel.name),
            ], publishingOn: [channel])
    }
}

extension Show.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notHeld
        case 1: self = .shown
        default: return nil
        }
    }
}
