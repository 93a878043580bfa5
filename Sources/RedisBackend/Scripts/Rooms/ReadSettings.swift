import GatewayCore
import RedisClient

/// Reads a room's settings as they are under this run of Redis.
package struct ReadSettings: ReadingScript {
    private let room: RoomName

    package init(of room: RoomName) {
        self.room = room
    }

    package var file: RedisScript { Scripts.settings }
    package var unwrittenFile: RedisScript { Scripts.settingsUnwritten }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.settings(of: room), keys.head(room), keys.state(Partition(of: room))], arguments: [.server])
    }

    package func read(_ reply: RedisReply) -> RoomState? { RoomState(reply, at: 0) }
}

extension RoomState {
    /// What `settings` and `position` tell at this place: version, life in milliseconds, text, the version that closed it.
    ///
    /// - Parameter roles: users, each followed by the role; where they are told.
    convenience init?(_ reply: RedisReply, at index: Int, roles: RedisReply? = nil) {
        guard let version = reply[index].integer, let life = reply[index + 1].integer,
            let text = reply[index + 2].bytes, let shut = reply[index + 3].integer
        else { return nil }
        self.init(
            version: version, settings: text.isEmpty ? RoomState.absent.settings : text,
            expires: life > 0 ? .milliseconds(life) : nil, isClosed: version > 0 && text.isEmpty, closedAt: shut,
            roles: roles.map(RoomState.roles) ?? [:])
    }
}

extension RoomState {
    private static func roles(_ reply: RedisReply) -> [UserID: RoleName] {
        var roles: [UserID: RoleName] = [:]
        for (user, role) in reply.pairs {
            guard let user = user.string, let role = role.string else { continue }
            roles[UserID(unchecked: user)] = RoleName(unchecked: role)
        }
        return roles
    }
}

extension RoomBar {
    /// As `rights.lua` says it.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        switch (words.first, words.count) {
        case ("locked", 1): self = .locked
        case ("full", 1): self = .full
        case ("role", 1): self = .role
        case ("banned", 1): self = .banned
        case ("muted", 1): self = .muted
        case ("removed", 1): self = .removed
        case ("slow", 2):
            guard let wait = Int64(words[1]) else { return nil }
            self = .slow(.milliseconds(wait))
        default: return nil
        }
    }
}
