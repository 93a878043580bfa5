import GatewayCore
import RedisClient

/// Gives the chair of a host who has left a room to another member, as a coordinator has chosen.
package struct HandOver: Script {
    package enum Answer: Hashable, Sendable {
        case handed(version: Int64)
        /// The host stays, or is back.
        case kept
        /// Something has changed since the coordinator looked.
        case moved
        /// The token is no longer the caller's.
        case refused
    }

    let room: RoomName
    let token: String
    let version: Int64
    let user: UserID?
    let settings: PresenceSettings

    /// - Parameters:
    ///   - version: of the room as it was seen.
    ///   - user: who is to follow; nil where nobody is.
    package init(_ room: RoomName, to user: UserID?, seen version: Int64, token: String, settings: PresenceSettings) {
        self.room = room
        self.token = token
        self.version = version
        self.user = user
        self.settings = settings
    }

    package var file: RedisScript { Scripts.handOver }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        return ScriptCall(
            keys: [
                keys.coordinator(partition), keys.settings(of: room), keys.members(room), keys.head(room),
                keys.state(partition), keys.events(partition), keys.governed(partition), keys.vacant(partition),
            ],
            arguments: [
                .string(token), .server, .string(room.string), .integer(version), .string(user?.string ?? ""),
                .count(settings.ledgerSize), .milliseconds(LogLimits.emptyHeadLife), keys.publish,
                .string(channel.name),
            ], publishingOn: [channel])
    }
}

extension HandOver.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let version = reply[1].integer else { return nil }
            self = .handed(version: version)
        case "kept": self = .kept
        case "moved": self = .moved
        case "refused": self = .refused
        default: return nil
        }
    }
}
