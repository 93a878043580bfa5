/// The position of a follower in one room's stream, and what each further message means for it.
///
/// It knows neither Redis nor time: a router asks it about every message, and about every answer from the log.
package struct StreamCursor: Sendable {
    /// The decision on a message that has come.
    package enum Verdict: Hashable, Sendable {
        /// It is the next one.
        case deliver
        /// It is the first of a stream that had no epoch yet: followers are told of the epoch, from this position on, before.
        case begin(Position)
        /// It was seen already.
        case drop
        /// Something lies between the position seen and this message, or its epoch is another: ask the log what came after this position.
        case catchUp(after: Position)
        /// Where the stream stands is not known yet: keep the message until `begin`.
        case hold
    }

    /// Up to where everything was delivered; nil until the first answer.
    package private(set) var position: Position?
    /// The time, and in the lowest bit whether it is exact: there are as many cursors as users with an inbox.
    private var stamp: Int64 = 0
    /// No message up to there was later than this by Redis's clock, unless that has stepped back; 0 where it is not known.
    package var timestamp: Int64 { stamp >> 1 }
    /// Whether that is the time of the last message itself.
    var isExact: Bool { stamp & 1 == 1 }

    package init() {}

    /// The stream is followed from here on, where it stood at this time.
    package mutating func begin(at position: Position, timestamp: Int64) {
        begin(at: position, timestamp: timestamp, isExact: false)
    }

    private mutating func begin(at position: Position, timestamp: Int64, isExact: Bool) {
        self.position = position
        stamp = timestamp << 1 | (isExact ? 1 : 0)
    }

    /// A message came over the channel.
    package mutating func receive(_ next: Position, timestamp: Int64) -> Verdict {
        guard let seen = position else { return .hold }
        if seen.epoch.isEmpty, next.seq == seen.seq + 1 {
            begin(at: next, timestamp: timestamp)
            return .begin(Position(epoch: next.epoch, seq: seen.seq))
        }
        guard next.epoch == seen.epoch else { return .catchUp(after: seen) }
        if next.seq <= seen.seq { return .drop }
        guard next.seq == seen.seq + 1 else { return .catchUp(after: seen) }
        begin(at: next, timestamp: timestamp, isExact: true)
        return .deliver
    }

    /// Nothing was lost, and the stream goes on under this epoch; answers where, if it is a new one, which followers are told
    /// of first.
    package mutating func goOn(under epoch: String) -> Position? {
        guard let seen = position, seen.epoch != epoch else { return nil }
        let renamed = Position(epoch: epoch, seq: seen.seq)
        position = renamed
        return renamed
    }
}
