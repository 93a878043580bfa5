import GatewayCore
import RedisClient
import Traces
import Tracing

/// Changes what a user is in a room, or may do there; of a client it is held against the client's own role.
package struct Moderate: Script {
    package enum Answer: Hashable, Sendable {
        /// The version, and the nodes whose connections were put out.
        case done(Int64, marked: [String])
        case denied(RoomDenial)
        /// The user is not in the room.
        case absent
        /// As many users have a role, are mute or banned as may be.
        case crowded
    }

    /// So many users of a room have a role, are mute or banned at most.
    package static let most = 10_000

    private let order: RoomOrder
    private let link: String
    private let settings: PresenceSettings
    private let most: Int
    /// Of the call that wants it.
    private let cause = ServiceContext.current?.cause

    /// - Parameter link: the name of the link that it goes over: with its number there a call is known when it is retried.
    package init(
        _ order: RoomOrder, link: String, settings: PresenceSettings = PresenceSettings(), most: Int = Moderate.most
    ) {
        self.order = order
        self.link = link
        self.settings = settings
        self.most = most
    }

    package var file: RedisScript { Scripts.moderate }

    package func spelled(with keys: Keys) -> ScriptCall {
        let (room, partition) = (order.room, Partition(of: order.room))
        let (channel, nodes) = (keys.channel(room), keys.node("", in: partition))
        let (what, value): (RedisArgument, RedisArgument) =
            switch order.act {
            case .role(let role): ("role", .string(role.string))
            case .mute(let end): ("mute", .integer(end ?? 0))
            case .unmute: ("unmute", "")
            case .ban(let end): ("ban", .integer(end ?? 0))
            case .unban: ("unban", "")
            case .remove: ("remove", "")
            case .admit: ("admit", "")
            }
        return ScriptCall(
            keys: [
                keys.settings(of: room), keys.head(room), keys.state(partition), keys.members(room),
                keys.connections(in: room), keys.rooms(partition), keys.linger(partition), keys.events(partition),
                keys.governed(partition), keys.vacant(partition), keys.out(of: room), keys.marks(partition),
                keys.coordinator(partition),
            ],
            arguments: [
                .server, .attempt, .numbered(link), .milliseconds(LogLimits.emptyHeadLife), keys.publish,
                .string(channel.name), .string(nodes.name), .string(room.string), .count(settings.ledgerSize),
                .milliseconds(settings.disconnectionLife), .milliseconds(settings.sessionLife),
                .count(most), what, .string(order.user.string), .string(order.author?.user.string ?? ""),
                .string(order.author?.connection ?? ""), value, .string(order.reason), .string(cause?.text ?? ""),
            ], publishingOn: [channel, nodes])
    }
}

extension Moderate.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let version = reply[1].integer else { return nil }
            self = .done(version, marked: reply[2].strings)
        case "denied":
            guard let denial = reply[1].string.flatMap(RoomDenial.init(rawValue:)) else { return nil }
            self = .denied(denial)
        case "absent": self = .absent
        case "crowded": self = .crowded
        default: return nil
        }
    }
}
