import GatewayCore
import RedisClient

/// Makes a session name another connection in place of the one that it names.
package struct ResumeSession: Script {
    package enum Answer: Hashable, Sendable {
        case resumed(Connect.Registered, Earlier)
        case missed(SessionMiss)
        case fenced(at: Int64)
        case banned
        case void
        case full
    }

    /// The state of the session before.
    package struct Earlier: Hashable, Sendable {
        /// The connection that it named.
        package var connection: String
        package var rooms: [Room]

        package init(connection: String, rooms: [RoomName]) {
            self.init(connection: connection, rooms: rooms.map { Room(name: $0, shown: nil) })
        }

        init(connection: String, rooms: [Room]) {
            self.connection = connection
            self.rooms = rooms
        }
    }

    /// A room of the session, and what was said to be shown of the user there; nil where nothing was.
    package struct Room: Hashable, Sendable {
        package var name: RoomName
        package var shown: [UInt8]?
    }

    let registering: Registering

    package init(_ registering: Registering) {
        self.registering = registering
    }

    package var file: RedisScript { Scripts.sessionResume }

    package func spelled(with keys: Keys) -> ScriptCall {
        registering.spelled(with: keys, mode: "resume", since: 0, cause: "")
    }
}

extension ResumeSession.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let since = reply[1].integer, let now = reply[2].integer, let old = reply[7].string else {
                return nil
            }
            var registered = Connect.Registered(since: since, now: now)
            registered.disconnection = reply[3].integer ?? 0
            registered.marked = reply[4].strings
            registered.inbox = Position(standingIn: reply, at: 5)
            registered.moves = reply[8].integer ?? 0
            registered.isInvisible = reply[9].integer == 1
            let rooms = stride(from: 10, to: reply.count - 1, by: 2).compactMap { index in
                reply[index].string.map { name in
                    let shown = reply[index + 1].withBytes { [UInt8]($0) }
                    return ResumeSession.Room(name: RoomName(unchecked: name), shown: shown.isEmpty ? nil : shown)
                }
            }
            self = .resumed(registered, ResumeSession.Earlier(connection: old, rooms: rooms))
        case "missed":
            guard let miss = reply[1].string.flatMap(SessionMiss.init) else { return nil }
            self = .missed(miss)
        case "fenced":
            guard let fence = reply[1].integer else { return nil }
            self = .fenced(at: fence)
        case "banned": self = .banned
        case "void": self = .void
        case "full": self = .full
        default: return nil
        }
    }
}
