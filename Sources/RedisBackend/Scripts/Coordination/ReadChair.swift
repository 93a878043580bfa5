import GatewayCore
import RedisClient

/// Tells a coordinator who could follow the host of a room, where that has left it.
package struct ReadChair: Script {
    package enum Answer: Hashable, Sendable {
        case vacant(VacantChair)
        /// Nobody is to follow.
        case kept
        /// The token is no longer the caller's.
        case refused
    }

    let room: RoomName
    let token: String

    package init(of room: RoomName, token: String) {
        self.room = room
        self.token = token
    }

    package var file: RedisScript { Scripts.chair }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [
                keys.coordinator(Partition(of: room)), keys.settings(of: room), keys.members(room), keys.head(room),
            ],
            arguments: [.string(token)])
    }
}

extension ReadChair.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "kept": self = .kept
        case "refused": self = .refused
        case "vacant":
            guard let version = reply[1].integer, let handover = reply[2].string, let roles = reply[3].string else {
                return nil
            }
            var chair = VacantChair(
                version: version, handover: RoomSettings.HostHandover(rawValue: handover) ?? .role,
                roles: roles.split(separator: ";").compactMap { entry in
                    entry.split(separator: "=").first.map { RoleName(unchecked: String($0)) }
                }, members: [])
            for index in stride(from: 4, to: reply.count - 3, by: 4) {
                guard let user = reply[index].string, let role = reply[index + 1].string,
                    let since = reply[index + 2].integer, let isLive = reply[index + 3].integer
                else { return nil }
                chair.members.append(
                    VacantChair.Member(
                        user: UserID(unchecked: user), role: RoleName(unchecked: role), since: since,
                        isConnected: isLive == 1))
            }
            self = .vacant(chair)
        default: return nil
        }
    }
}
