import GatewayCore
import RedisClient

/// Asks where many rooms of one partition stand; answers in their order.
package struct ReadHeads: Script {
    package struct Head: Hashable, Sendable {
        /// With an empty epoch where the room has no head, or one of an earlier run of Redis.
        package let position: Position
        package let rosterVersion: Int64
        /// 0 where the room has none.
        package let settingsVersion: Int64
    }

    /// What one call takes.
    package static let most = 200

    let rooms: [RoomName]
    let partition: Partition

    package init(of rooms: [RoomName], in partition: Partition) {
        self.rooms = rooms
        self.partition = partition
    }

    package var file: RedisScript { Scripts.heads }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.state(partition)] + rooms.map(keys.head), arguments: [.server, .count(rooms.count)])
    }

    package func read(_ reply: RedisReply) -> [Head]? {
        guard reply.count == 4 * rooms.count else { return nil }
        return rooms.indices.map { index in
            Head(
                position: Position(
                    epoch: reply[4 * index].string ?? "", seq: Int(reply[4 * index + 1].integer ?? 0)),
                rosterVersion: reply[4 * index + 2].integer ?? 0,
                settingsVersion: reply[4 * index + 3].integer ?? 0)
        }
    }
}
