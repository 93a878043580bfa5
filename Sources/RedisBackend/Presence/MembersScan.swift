import GatewayCore
import RedisClient

/// The result of one step of a scan of a room's members.
package struct MembersScan: Sendable {
    /// Nil where it is not known.
    package let server: ServerMark?
    /// Where the next begins; 0 where there is none.
    package let next: UInt64
    package let members: [Member]

    package init(server: ServerMark? = nil, next: UInt64, members: [Member]) {
        (self.server, self.next, self.members) = (server, next, members)
    }

    /// The two parts of HSCAN's answer. Nil where they are of another shape.
    init?(next: RedisReply, members pairs: RedisReply, at server: ServerMark?) {
        guard let next = next.string.flatMap({ UInt64($0) }) else { return nil }
        let members = pairs.pairs.compactMap { name, packed -> Member? in
            guard let name = name.string else { return nil }
            return packed.withBytes { PackedMember.unpack($0, user: UserID(unchecked: name)) }
        }
        self.init(server: server, next: next, members: members)
    }
}
