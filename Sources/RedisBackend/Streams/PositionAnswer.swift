import GatewayCore
import RedisClient

/// What the script `position` answers.
struct PositionAnswer: Sendable {
    let head: Position
    /// Nil where the room keeps none.
    let roster: RosterState?
    /// Redis's clock, in milliseconds since 1970; 0 where it was not read.
    let timestamp: Int64
    /// The number behind which the log was read; nil where it was not.
    let after: Int?
    /// What was read of the log.
    let messages: [RoomMessage]
    /// Whether the log holds more beyond `messages`.
    let more: Bool
    /// The latest epochs before the head's, each with its last seq: `epoch=seq,…`, newest first.
    private let ends: String
    /// Whether `messages` has no hole.
    private let isContiguous: Bool

    /// As another script has found it, with nothing of the log.
    init(head: Position, roster: RosterState?) {
        self.head = head
        self.roster = roster
        timestamp = roster?.timestamp ?? 0
        after = nil
        messages = []
        more = false
        ends = ""
        isContiguous = true
    }

    /// Nil where the reply has another shape.
    init?(_ reply: RedisReply, room: RoomName, after: Int?, hasRoster: Bool) {
        guard let epoch = reply[0].string, let seq = reply[1].integer, let timestamp = reply[2].integer,
            let ends = reply[3].string, let version = reply[4].integer, let members = reply[5].integer,
            let more = reply[6].integer
        else { return nil }
        head = Position(epoch: epoch, seq: Int(seq))
        roster =
            hasRoster ? RosterState(members: Int(members), version: version, timestamp: timestamp) : nil
        self.timestamp = timestamp
        self.after = after
        self.ends = ends
        messages = reply.messages(of: room, epoch: epoch, from: 7)
        isContiguous = zip(messages, messages.dropFirst()).allSatisfy { $0.seq + 1 == $1.seq }
        self.more = more == 1
    }

    /// Whether nothing was lost of what follows a position, as far as epochs tell.
    func isGood(epoch: String?, seq: Int) -> Bool {
        guard let epoch, !epoch.isEmpty, epoch != head.epoch else { return seq <= head.seq }
        for end in ends.split(separator: ",") {
            let parts = end.split(separator: "=")
            guard parts.count == 2, let last = Int(parts[1]), parts[0] == epoch else { continue }
            return seq <= last
        }
        return false
    }

    /// Whether all that follows a number is in `messages`, or is announced as more.
    func isWhole(after seq: Int) -> Bool {
        guard let first = messages.first, let last = messages.last else { return seq == head.seq }
        return isContiguous && first.seq <= seq + 1 && (more || last.seq == head.seq)
    }

    /// What was read behind a number; of messages without a hole.
    func messages(after seq: Int) -> ArraySlice<RoomMessage> {
        guard let first = messages.first else { return [] }
        return messages.dropFirst(max(0, seq + 1 - first.seq))
    }
}
