import GatewayCore
import RedisClient

/// Reads who is what in a governed room.
package struct ReadRoles: Script {
    /// Of each kind.
    private static let most = 1000

    private let room: RoomName

    package init(of room: RoomName) {
        self.room = room
    }

    package var file: RedisScript { Scripts.roles }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.settings(of: room)], arguments: [.count(ReadRoles.most)])
    }

    package func read(_ reply: RedisReply) -> RoomRoles? {
        guard let host = reply[0].string, reply.count == 4 else { return nil }
        func ends(_ list: RedisReply) -> [UserID: Int64] {
            var ends: [UserID: Int64] = [:]
            for (user, end) in list.pairs {
                guard let user = user.string, let end = end.string.flatMap({ Int64($0) }) else { continue }
                ends[UserID(unchecked: user)] = end
            }
            return ends
        }
        var roles = RoomRoles(host: host.isEmpty ? nil : UserID(unchecked: host))
        for (user, role) in reply[1].pairs {
            guard let user = user.string, let role = role.string else { continue }
            roles.roles[UserID(unchecked: user)] = RoleName(unchecked: role)
        }
        roles.muted = ends(reply[2])
        roles.banned = ends(reply[3])
        return roles
    }
}
