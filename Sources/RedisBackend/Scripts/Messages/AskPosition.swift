import GatewayCore
import RedisClient

/// Asks where a room's stream and its roster stand, and what the log holds behind a number.
package struct AskPosition: ReadingScript {
    let room: RoomName
    let hasRoster: Bool
    /// What the room's log keeps.
    let limits: LogLimits
    /// Nil where the log is not read.
    let part: LogPart?
    /// The version of the room's settings that is known; 0 where there are none, below 0 where it is to be told in any case.
    var knownSettings: Int64 = 0
    /// The epoch that begins where the head is missing or of an earlier run of Redis.
    let candidate: String

    package init(
        _ room: RoomName, hasRoster: Bool, limits: LogLimits, reading part: LogPart?, knownSettings: Int64 = 0,
        candidate: String
    ) {
        self.room = room
        self.hasRoster = hasRoster
        self.limits = limits
        self.part = part
        self.knownSettings = knownSettings
        self.candidate = candidate
    }

    package var file: RedisScript { Scripts.position }
    package var unwrittenFile: RedisScript { Scripts.positionUnwritten }

    package func spelled(with keys: Keys) -> ScriptCall {
        var all = [keys.state(Partition(of: room)), keys.head(room), keys.log(room)]
        if room.takesSettings { all.append(keys.settings(of: room)) }
        if hasRoster { all.append(keys.members(room)) }
        var arguments: [RedisArgument] = [
            .server, .string(candidate), .milliseconds(room.isInbox ? .zero : LogLimits.emptyHeadLife),
            .milliseconds(limits.age), hasRoster ? 1 : 0, room.takesSettings ? 1 : 0,
            .integer(knownSettings),
        ]
        if let part { arguments += [.count(part.after), .count(part.limit), .count(part.bytes)] }
        return ScriptCall(keys: all, arguments: arguments)
    }

    package func read(_ reply: RedisReply) -> PositionAnswer? {
        guard let epoch = reply[0].string, let seq = reply[1].integer, let now = reply[2].integer,
            let ends = reply[3].string, let version = reply[4].integer, let members = reply[5].integer,
            let more = reply[6].integer, let settingsVersion = reply[7].integer
        else { return nil }
        return PositionAnswer(
            head: Position(epoch: epoch, seq: Int(seq)),
            roster: hasRoster ? RosterState(members: Int(members), version: version, timestamp: now) : nil,
            settings: settingsVersion == knownSettings ? nil : RoomState(reply, at: 7, roles: reply[11]),
            timestamp: now, ends: ends, after: part.map { $0.after < 0 ? max(0, Int(seq) + $0.after) : $0.after },
            messages: reply.messages(of: room, epoch: epoch, from: 12), more: more == 1)
    }
}
