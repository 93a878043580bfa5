import GatewayCore
import RedisClient

/// Takes a connection out of a room at once, or begins its grace there.
package struct Leave: Script {
    /// The holder of the connection in the room.
    package enum From: Hashable, Sendable {
        case node(Holder)
        /// Whoever it is, or a grace; the caller's own set names nothing of it.
        case anybody(caller: Holder)
        /// Nobody: its grace runs.
        case grace
    }

    package enum Answer: Hashable, Sendable {
        case gone
        /// The node does not hold it there, or no longer.
        case notHeld
    }

    let room: RoomName
    let connection: String
    let user: UserID
    let holder: From
    let departure: Departure
    let settings: PresenceSettings

    package init(
        _ room: RoomName, connection: String, of user: UserID, holder: From, departure: Departure,
        settings: PresenceSettings
    ) {
        self.room = room
        self.connection = connection
        self.user = user
        self.holder = holder
        self.departure = departure
        self.settings = settings
    }

    package var file: RedisScript { Scripts.leave }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        let nodes = keys.node("", in: partition)
        let (caller, node) =
            switch holder {
            case .node(let holder): (holder, holder.node)
            case .anybody(let caller): (caller, "*")
            case .grace: (Holder(node: "*", incarnation: 0), "*")
            }
        return ScriptCall(
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.held(by: caller, in: partition), keys.linger(partition), keys.events(partition),
                keys.settings(of: room), keys.governed(partition), keys.vacant(partition), keys.coordinator(partition),
            ],
            arguments: [
                .string(node), .integer(caller.incarnation), .string(connection), .string(user.string),
                .string(room.string), .mode(departure), .string(departure.cause.rawValue),
                .milliseconds(settings.grace + settings.roomGrace), .milliseconds(settings.life),
                .milliseconds(LogLimits.emptyHeadLife), .count(settings.ledgerSize), keys.publish,
                .string(channel.name), .string(nodes.name),
            ], publishingOn: [channel, nodes])
    }
}

extension Leave.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notHeld
        case 1: self = .gone
        default: return nil
        }
    }
}
