import GatewayCore
import RedisClient

/// Takes a member of a room out of the others' sight, or shows it again; answers whether that was to be done.
package struct Hide: Script {
    let room: RoomName
    let user: UserID
    let isHidden: Bool
    let settings: PresenceSettings

    package init(_ user: UserID, in room: RoomName, isHidden: Bool, settings: PresenceSettings) {
        self.room = room
        self.user = user
        self.isHidden = isHidden
        self.settings = settings
    }

    package var file: RedisScript { Scripts.hide }

    package func spelled(with keys: Keys) -> ScriptCall {
        let channel = keys.channel(room)
        return ScriptCall(
            keys: [keys.members(room), keys.head(room)],
            arguments: [
                .string(user.string), isHidden ? 1 : 0, .milliseconds(settings.life),
                .milliseconds(LogLimits.emptyHeadLife), keys.publish, .string(channel.name),
            ], publishingOn: [channel])
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
