import GatewayCore
import RedisClient

/// Notes what a connection says of its user.
package struct SetState: Script {
    package enum Answer: Hashable, Sendable {
        case noted(isInvisible: Bool)
        /// The node does not hold the connection, or no longer.
        case notHeld
    }

    /// How long it is remembered that a user wants to be invisible: a month after they were last there.
    static let wishLife = Duration.seconds(30 * 86_400)

    let state: UserState
    let connection: PresenceConnection
    let holder: Holder
    let settings: PresenceSettings

    package init(_ state: UserState, _ connection: PresenceConnection, holder: Holder, settings: PresenceSettings) {
        self.state = state
        self.connection = connection
        self.holder = holder
        self.settings = settings
    }

    package var file: RedisScript { Scripts.state }

    package func spelled(with keys: Keys) -> ScriptCall {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let (status, nodes) = (keys.status(of: user), keys.node("", in: partition))
        return ScriptCall(
            keys: [
                keys.connections(of: user), keys.online(partition), keys.states(partition), keys.seen(partition),
                keys.head(RoomName(inboxOf: user)),
            ],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .string(state.rawValue), .milliseconds(settings.life), keys.publish, .string(status.name),
                .string(nodes.name), .milliseconds(SetState.wishLife),
            ], publishingOn: [status, nodes])
    }
}

extension SetState.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case -1: self = .notHeld
        case 0: self = .noted(isInvisible: false)
        case 1: self = .noted(isInvisible: true)
        default: return nil
        }
    }
}
