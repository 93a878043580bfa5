import GatewayCore
import RedisClient

/// Reads part of a room's log, and begins nothing where the room was never written to.
package struct ReadHistory: ReadingScript {
    let room: RoomName
    let range: HistoryRange
    /// How old a message may be.
    let age: Duration
    /// The epoch that begins where the head is of an earlier run of Redis.
    let candidate: String

    package init(of room: RoomName, range: HistoryRange, age: Duration, candidate: String) {
        self.room = room
        self.range = range
        self.age = age
        self.candidate = candidate
    }

    package var file: RedisScript { Scripts.history }
    package var unwrittenFile: RedisScript { Scripts.historyUnwritten }

    package func spelled(with keys: Keys) -> ScriptCall {
        let edge: [RedisArgument] =
            switch range.edge {
            case .newest: ["before"]
            case .before(let seq): ["before", .count(seq)]
            case .after(let seq): ["after", .count(seq)]
            }
        var all = [keys.state(Partition(of: room)), keys.head(room), keys.log(room)]
        if room.takesSettings { all.append(keys.settings(of: room)) }
        return ScriptCall(
            keys: all,
            arguments: [
                .server, .string(candidate), .milliseconds(age), .count(range.limit), .count(range.maxBytes),
                room.takesSettings ? 1 : 0,
                .string(range.epoch ?? ""),
            ] + edge)
    }

    package func read(_ reply: RedisReply) -> HistoryPage? {
        guard let epoch = reply[0].string, let seq = reply[1].integer, let more = reply[2].integer else { return nil }
        let messages = reply.messages(of: room, epoch: epoch, from: 3)
        let isOldestFirst = if case .after = range.edge { true } else { false }
        return HistoryPage(
            room: room, head: Position(epoch: epoch, seq: Int(seq)),
            messages: isOldestFirst ? messages : messages.reversed(), more: more == 1)
    }
}
