/// What a follower of one room has seen, and what each further message means for it.
///
/// It knows neither Redis nor time: a router asks it about every message, and about every answer from the log.
package struct StreamCursor: Sendable {
    /// What to do with a message that has come.
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

    /// What the log's answer to `catchUp` means.
    package enum Recovery: Hashable, Sendable {
        /// All is there; under a new epoch if one is given, which followers are told of first.
        case whole(newEpoch: Position?)
        /// Something was lost: followers are told that it goes on after this position.
        case lost(Position)
    }

    /// Up to where everything was delivered; nil until the first answer.
    package private(set) var position: Position?

    package init() {}

    /// The stream is followed from here on.
    package mutating func begin(at position: Position) {
        self.position = position
    }

    /// A message came over the channel.
    package mutating func receive(_ next: Position) -> Verdict {
        guard let seen = position else { return .hold }
        if seen.epoch.isEmpty, next.seq == seen.seq + 1 {
            position = next
            return .begin(Position(epoch: next.epoch, seq: seen.seq))
        }
        guard next.epoch == seen.epoch else { return .catchUp(after: seen) }
        if next.seq <= seen.seq { return .drop }
        guard next.seq == seen.seq + 1 else { return .catchUp(after: seen) }
        position = next
        return .deliver
    }

    /// The log answered a `catchUp`: `isGood` says that nothing was lost since the position seen, `head` where the room stands.
    package mutating func recover(isGood: Bool, head: Position) -> Recovery {
        guard isGood, let seen = position, seen.seq <= head.seq else {
            position = head
            return .lost(head)
        }
        let isNewEpoch = seen.epoch != head.epoch
        let renamed = Position(epoch: head.epoch, seq: seen.seq)
        position = renamed
        return .whole(newEpoch: isNewEpoch ? renamed : nil)
    }
}
