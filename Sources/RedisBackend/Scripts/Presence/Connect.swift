import GatewayCore
import RedisClient

/// Registers a connection of a user with its node, under a session.
package struct Connect: Script {
    package enum Mode: Hashable, Sendable {
        /// Never registered before.
        case new
        /// Registered before.
        case again(Earlier)
    }

    /// The record of a connection that was registered before, as a node knows it.
    package struct Earlier: Hashable, Sendable {
        /// Since when it is there, in ms by Redis's clock.
        package var since: Int64
        /// The number of the disconnection of the user that it came after; 0: of none.
        package var disconnection: Int64
        /// How often its session had gone on elsewhere with it.
        package var moves: Int64
        /// Those that its session is to name.
        package var rooms: Set<RoomName>
        /// Whether its user wants to be invisible, which Redis may have lost.
        package var isInvisible = false

        package init(since: Int64, disconnection: Int64 = 0, moves: Int64 = 0, rooms: Set<RoomName> = []) {
            self.since = since
            self.disconnection = disconnection
            self.moves = moves
            self.rooms = rooms
        }
    }

    package enum Answer: Hashable, Sendable {
        case registered(Registered)
        /// The node is dead here below this incarnation.
        case fenced(at: Int64)
        /// A backend has banned the user.
        case banned
        /// The token was made void.
        case void
        /// The user has too many connections.
        case full
        /// Registered again: the user was disconnected in the meantime.
        case ended
        /// Registered again: the session names another connection by now.
        case replaced
    }

    /// The record of a connection that was taken in.
    package struct Registered: Hashable, Sendable {
        /// Since when it is there, in ms by Redis's clock.
        package var since: Int64
        /// Redis's clock, in ms.
        package var now: Int64
        /// The number of the disconnection of the user that it came after; 0: of none.
        package var disconnection: Int64 = 0
        /// How often its session had gone on elsewhere with it.
        package var moves: Int64 = 0
        /// The node of each connection that was marked to be closed.
        package var marked: [String] = []
        /// Whether the user is invisible.
        package var isInvisible = false
        /// Where the user's inbox stands; nil where that is not known.
        package var inbox: Position?

        package init(since: Int64, now: Int64) {
            self.since = since
            self.now = now
        }
    }

    let registering: Registering
    let mode: Mode

    package init(_ registering: Registering, mode: Mode) {
        self.registering = registering
        self.mode = mode
    }

    package var file: RedisScript { Scripts.connect }

    package func spelled(with keys: Keys) -> ScriptCall {
        switch mode {
        case .new: registering.spelled(with: keys, mode: "new", since: 0, cause: "")
        case .again(let earlier):
            registering.spelled(
                with: keys, mode: earlier.isInvisible ? "invisible" : "again", since: earlier.since,
                cause: PresenceCause.restored.rawValue,
                behind: [.integer(earlier.disconnection), .integer(earlier.moves)]
                    + earlier.rooms.map { .string($0.string) })
        }
    }
}

/// The arguments that `connect` and `session_resume` share.
package struct Registering: Sendable {
    let connection: PresenceConnection
    let session: SessionID
    let holder: Holder
    /// Whether the holder is known to stand among those of the user's partition.
    let isKnown: Bool
    /// Whether the holder is known to have others in the user's partition, so that what those share has its life.
    let hasOthers: Bool
    let settings: PresenceSettings

    package init(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, isKnown: Bool = false,
        hasOthers: Bool = false, settings: PresenceSettings
    ) {
        self.connection = connection
        self.session = session
        self.holder = holder
        self.isKnown = isKnown
        self.hasOthers = hasOthers
        self.settings = settings
    }

    /// - Parameter more: what stands behind the arguments of both.
    func spelled(
        with keys: Keys, mode: RedisArgument, since: Int64, cause: String, behind more: [RedisArgument] = []
    ) -> ScriptCall {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let status = keys.status(of: user)
        let nodes = keys.node("", in: partition)
        return ScriptCall(
            keys: [
                keys.connections(of: user), keys.online(partition), keys.session(session), keys.holders(partition),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.fence(partition),
                keys.events(partition), keys.marks(partition), keys.state(partition),
                keys.head(RoomName(inboxOf: user)), keys.verdict(on: user),
                keys.states(partition),
            ],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .string(connection.address), .string(session.secret), .integer(since), .string(cause),
                .milliseconds(settings.life), .milliseconds(settings.sessionLife), .count(settings.ledgerSize),
                keys.publish, .string(status.name), mode, .count(settings.maxConnectionsPerUser),
                .string(settings.surplus.rawValue), .string(nodes.name), .milliseconds(settings.listLife), .server,
                .mustAnnounce(isKnown: isKnown), .moment(connection.issuedAt), .mustKeep(hasOthers: hasOthers),
                .string(SessionFields.dialect(of: connection)),
            ] + more, publishingOn: [status, nodes])
    }
}

extension Connect.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let since = reply[1].integer, let now = reply[2].integer else { return nil }
            var registered = Connect.Registered(since: since, now: now)
            registered.disconnection = reply[3].integer ?? 0
            registered.marked = reply[4].strings
            registered.inbox = Position(standingIn: reply, at: 5)
            registered.isInvisible = reply[7].integer == 1
            self = .registered(registered)
        case "fenced":
            guard let fence = reply[1].integer else { return nil }
            self = .fenced(at: fence)
        case "banned": self = .banned
        case "void": self = .void
        case "full": self = .full
        case "ended": self = .ended
        case "replaced": self = .replaced
        default: return nil
        }
    }
}
