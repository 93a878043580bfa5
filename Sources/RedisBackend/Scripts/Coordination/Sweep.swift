import GatewayCore
import RedisClient

/// Takes away what a dead incarnation held, or what has outlived its grace.
package struct Sweep: Script {
    package enum Of: Hashable, Sendable {
        /// All entries are of its set; without any it is fenced only.
        case node(Holder)
        /// All entries are of those whose grace runs; those go that have ended by this moment, as a look has found it.
        case graces(dueBy: Int64)
    }

    package enum Answer: Hashable, Sendable {
        /// How many entries are left.
        case left(Int64)
        /// The token is no longer the caller's.
        case refused
    }

    /// Entries in one call.
    package static let most = 200
    /// After which a member is looked at again whose place another connection is to take.
    private static let patience = Duration.seconds(1)

    let partition: Partition
    let token: String
    let swept: Of
    let entries: [HeldEntry]
    /// Of members: the connection that is to take its place, or its own where that is open yet.
    let successors: [HeldEntry: String]
    let settings: PresenceSettings
    /// Whether all nodes know what is told of how many connections a room has.
    let isCounting: Bool

    package init(
        _ partition: Partition, token: String, of swept: Of, _ entries: [HeldEntry],
        successors: [HeldEntry: String] = [:],
        settings: PresenceSettings, isCounting: Bool = true
    ) {
        self.partition = partition
        self.token = token
        self.swept = swept
        self.entries = entries
        self.successors = successors
        self.settings = settings
        self.isCounting = isCounting
    }

    package var file: RedisScript { Scripts.sweep }

    package func spelled(with keys: Keys) -> ScriptCall {
        let (list, kind, node, incarnation): (Key, RedisArgument, String, Int64) =
            switch swept {
            case .node(let holder): (keys.held(by: holder, in: partition), "node", holder.node, holder.incarnation)
            case .graces(let moment): (keys.linger(partition), "linger", "-", moment)
            }
        var all = [
            keys.coordinator(partition), keys.fence(partition), keys.holders(partition), list, keys.online(partition),
            keys.seen(partition), keys.rooms(partition), keys.events(partition), keys.linger(partition),
            keys.governed(partition), keys.vacant(partition), keys.states(partition),
        ]
        let nodes = keys.node("", in: partition)
        var channels: [Key] = [nodes]
        var arguments: [RedisArgument] = [
            .string(token), kind, .string(node), .integer(incarnation), .count(settings.ledgerSize),
            keys.publish, .milliseconds(settings.fenceLife), .milliseconds(settings.life),
            .milliseconds(Sweep.patience), .string(nodes.name),
        ]
        func told(_ room: RoomName) -> RedisArgument {
            (isCounting ? settings.counting(room) : .nobody).argument
        }
        var rooms: [RoomName: [(connection: String, user: UserID, successor: String)]] = [:]
        for entry in entries {
            switch entry {
            case .user(let user, let connection):
                all.append(keys.connections(of: user))
                channels.append(keys.status(of: user))
                arguments += [
                    "u", .string(connection), .string(user.string), .string(keys.status(of: user).name),
                ]
            case .member(let user, let connection, let room):
                rooms[room, default: []].append((connection, user, successors[entry] ?? ""))
            case .guests(let room), .count(let room):
                let kind: RedisArgument = if case .guests = entry { "g" } else { "n" }
                all += [keys.members(room), keys.connections(in: room), keys.head(room)]
                channels.append(keys.channel(room))
                arguments += [kind, .string(room.string), .string(keys.channel(room).name), told(room)]
            }
        }
        for (room, members) in rooms {
            all += [keys.members(room), keys.connections(in: room), keys.head(room), keys.settings(of: room)]
            channels.append(keys.channel(room))
            arguments += [
                "r", .string(room.string), .string(keys.channel(room).name), .milliseconds(LogLimits.emptyHeadLife),
                told(room), .count(members.count),
            ]
            for member in members {
                arguments += [.string(member.connection), .string(member.user.string), .string(member.successor)]
            }
        }
        return ScriptCall(keys: all, arguments: arguments, publishingOn: channels)
    }
}

extension Sweep.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let left = reply[1].integer else { return nil }
            self = .left(left)
        case "refused": self = .refused
        default: return nil
        }
    }
}
