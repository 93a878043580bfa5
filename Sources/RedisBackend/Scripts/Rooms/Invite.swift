import GatewayCore
import RedisClient

/// Has the nodes that hold a user's connections put those into a room; answers how many there are.
package struct Invite: Script {
    private let user: UserID
    private let room: RoomName

    package init(_ user: UserID, to room: RoomName) {
        self.user = user
        self.room = room
    }

    package var file: RedisScript { Scripts.invite }

    package func spelled(with keys: Keys) -> ScriptCall {
        let nodes = keys.node("", in: Partition(of: user.string))
        return ScriptCall(
            keys: [keys.connections(of: user)],
            arguments: [.string(user.string), .string(room.string), keys.publish, .string(nodes.name)],
            publishingOn: [nodes])
    }

    package func read(_ reply: RedisReply) -> Int? { reply.integer.map(Int.init) }
}
