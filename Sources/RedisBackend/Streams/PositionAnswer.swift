import GatewayCore
import RedisClient

/// What the script `position` answers.
struct PositionAnswer {
    let head: Position
    /// Redis's clock, in milliseconds since 1970.
    let timestamp: Int64
    /// Whether nothing was lost since the position that was given, and what came after it is there without a hole.
    let isGood: Bool
    /// Whether the log holds more beyond `messages`.
    let more: Bool
    let messages: [RoomMessage]

    /// `seen` is the last number seen, nil where only the head was asked for.
    init?(_ reply: RedisReply, room: RoomName, after seen: Int?) {
        guard let epoch = reply[0].string, let seq = reply[1].integer, let timestamp = reply[2].integer,
            let good = reply[3].integer, let more = reply[4].integer
        else { return nil }
        head = Position(epoch: epoch, seq: Int(seq))
        self.timestamp = timestamp
        self.more = more == 1
        messages = reply.messages(of: room, epoch: epoch, from: 5)
        let isNext = messages.first.map { $0.seq - 1 == seen } ?? true
        isGood = good == 1 && isNext && zip(messages, messages.dropFirst()).allSatisfy { $0.seq + 1 == $1.seq }
    }
}
