import GatewayCore
import RedisClient

/// Forgets that rooms of a partition are governed whose settings have ended by themselves; answers how many.
package struct Prune: Script {
    /// Rooms in one call.
    package static let most = 32

    let rooms: [RoomName]
    let partition: Partition

    package init(_ rooms: [RoomName], in partition: Partition) {
        self.rooms = rooms
        self.partition = partition
    }

    package var file: RedisScript { Scripts.prune }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.governed(partition)] + rooms.map(keys.settings), arguments: rooms.map { .string($0.string) })
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
