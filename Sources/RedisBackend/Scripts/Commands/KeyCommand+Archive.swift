import GatewayCore
import RedisClient

extension KeyCommand where Answer == EpochCourse? {
    /// Nil where the room has no head.
    package static func course(ofHead key: Key) -> Self {
        KeyCommand("HMGET", key, ["epoch", "seq", "ends"]) { reply in
            guard reply.count == 3 else { return nil }
            guard let epoch = reply[0].string, let seq = reply[1].integer else { return .some(nil) }
            return .some(EpochCourse(head: Position(epoch: epoch, seq: Int(seq)), ends: reply[2].string ?? ""))
        }
    }
}
