import GatewayCore
import RedisClient

/// Makes a connection's user a member of a room.
package struct Join: Script {
    package enum Mode: Hashable, Sendable {
        case new
        /// It was in the room before, and the node had registered all of the partition under this incarnation; nil where it
        /// has not done so yet.
        case again(settled: Int64?)
        /// It takes the place of this connection of the same user.
        case replacing(String)
    }

    package enum Answer: Hashable, Sendable {
        /// The roster after it, and where the room's stream stands; nil where that is not known.
        case joined(RosterState, stream: Position?)
        /// The node is dead here below this incarnation.
        case fenced(at: Int64)
        /// The room's settings keep the user out.
        case barred(RoomBar)
    }

    let room: RoomName
    let connection: String
    /// Who is the member: usually the connection's user.
    let user: UserID
    /// What is shown of the user, a JSON object.
    let info: [UInt8]
    let holder: Holder
    /// Whether the holder is known to stand among those of the room's partition.
    let isKnown: Bool
    /// Whether the holder is known to have others in the room, so that what the join writes beside lives as long as those.
    let hasOthers: Bool
    /// Whether the user is invisible.
    let isHidden: Bool
    let mode: Mode
    /// Users in the room, with whom no further one is let in; 0: no limit.
    let most: Int
    let settings: PresenceSettings

    package init(
        _ room: RoomName, connection: String, of user: UserID, info: [UInt8], holder: Holder, isKnown: Bool = false,
        hasOthers: Bool = false, isHidden: Bool = false, mode: Mode, most: Int = 0,
        settings: PresenceSettings
    ) {
        self.room = room
        self.connection = connection
        self.user = user
        self.info = info
        self.holder = holder
        self.isKnown = isKnown
        self.hasOthers = hasOthers
        self.isHidden = isHidden
        self.mode = mode
        self.most = most
        self.settings = settings
    }

    /// A full Redis takes what was there before: it only comes back.
    package var file: RedisScript { mode == .new ? Scripts.join : Scripts.joinAgain }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        let (cause, replaced, settled) =
            switch mode {
            case .new: ("", "", "")
            case .again(let settled): (PresenceCause.restored.rawValue, "", settled.map { "\($0)" } ?? "")
            case .replacing(let connection): ("", connection, "")
            }
        return ScriptCall(
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.holders(partition), keys.held(by: holder, in: partition), keys.linger(partition),
                keys.fence(partition), keys.events(partition), keys.state(partition), keys.settings(of: room),
                keys.out(of: room),
            ],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection), .string(user.string),
                .string(room.string), .bytes(info), .string(cause), .milliseconds(settings.life),
                .milliseconds(LogLimits.emptyHeadLife), .count(settings.ledgerSize), keys.publish,
                .string(channel.name), .string(replaced), .milliseconds(settings.listLife), .server,
                .mustAnnounce(isKnown: isKnown), .string(settled), .mustKeep(hasOthers: hasOthers),
                isHidden ? 1 : 0, .milliseconds(settings.sessionLife), .count(most),
            ], publishingOn: [channel])
    }
}

extension Join.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let members = reply[1].integer, let version = reply[2].integer, let now = reply[3].integer else {
                return nil
            }
            self = .joined(
                RosterState(
                    members: Int(members), version: version, timestamp: now,
                    since: reply[6].integer.map { Int($0) }),
                stream: Position(standingIn: reply, at: 4))
        case "fenced":
            guard let fence = reply[1].integer else { return nil }
            self = .fenced(at: fence)
        case "barred":
            guard let bar = reply[1].string.flatMap({ RoomBar($0) }) else { return nil }
            self = .barred(bar)
        default: return nil
        }
    }
}
