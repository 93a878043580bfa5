import GatewayCore
import RedisClient

/// Hands a signal from one connection in a room to the nodes that hold the other user's connections there.
package struct PassSignal: Script {
    package enum Answer: Hashable, Sendable {
        case passed(nodes: Int)
        /// The sender is not in the room.
        case notMember
        /// The receiver is not in the room, or invisible.
        case notFound
        /// It was sent again after a break, and may have been passed on before.
        case unknown
        case barred(RoomBar)
    }

    let signal: Signal
    /// The sender's.
    let connection: String

    package init(_ signal: Signal, connection: String) {
        self.signal = signal
        self.connection = connection
    }

    package var file: RedisScript { Scripts.signal }

    package func spelled(with keys: Keys) -> ScriptCall {
        let nodes = keys.node("", in: Partition(of: signal.room))
        return ScriptCall(
            keys: [keys.members(signal.room), keys.head(signal.room), keys.settings(of: signal.room)],
            arguments: [
                .string(connection), .string(signal.from.string), .string(signal.to.string),
                .string(signal.room.string), .bytes(signal.payload), keys.publish, .string(nodes.name),
                .attempt,
            ], publishingOn: [nodes])
    }
}

extension PassSignal.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let nodes = reply.integer else { return nil }
        self =
            switch nodes {
            case -4: .barred(.muted)
            case -3: .barred(.role)
            case -2: .unknown
            case -1: .notMember
            case 0: .notFound
            default: .passed(nodes: Int(nodes))
            }
    }
}
