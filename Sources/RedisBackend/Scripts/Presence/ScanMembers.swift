import GatewayCore
import RedisClient

/// Takes one step through a room's members, and tells at which server.
package struct ScanMembers: Script {
    let members: Key
    /// A place of HSCAN; 0 for the beginning.
    let place: UInt64
    let count: Int

    package init(_ members: Key, from place: UInt64, about count: Int) {
        (self.members, self.place, self.count) = (members, place, count)
    }

    package var file: RedisScript { Scripts.members }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [members], arguments: [.string(String(place)), .count(count), .server])
    }

    package func read(_ reply: RedisReply) -> MembersScan? {
        guard let server = reply[0].string else { return nil }
        return MembersScan(next: reply[1], members: reply[2], at: ServerMark(token: server))
    }
}
