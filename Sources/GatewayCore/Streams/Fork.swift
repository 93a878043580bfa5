/// Tells whether the log goes on from what was seen, or is another past of the room: what a failover or a rollback of
/// Redis leaves behind, under another epoch or under the same one.
///
/// Two pasts have a message in common where it is the same in both, and then all before it. What was seen is known by the
/// recent messages; where those have gone out of memory, by its epoch.
package struct Fork {
    package enum Verdict: Hashable, Sendable {
        /// The log holds what was seen, and goes on behind it.
        case goesOn
        /// Something is lost: the log goes on behind this number, and holds nothing else behind what both have in common.
        case lost(after: Int)
        /// The same, but that the log holds nothing at all behind this number, under which both may have the same.
        case lostAll(behind: Int)
        /// It cannot be said before the log was read behind this number.
        case readBehind(Int)
    }

    /// Up to where everything was delivered.
    private let seen: Position
    /// No message up to there was later than this, unless Redis's clock has stepped back; 0 where it is not known.
    private let seenAt: Int64
    /// Whether it is the time of the last of them.
    private let isExact: Bool
    private let recent: RecentMessages

    package init(seen: Position, at seenAt: Int64, isExact: Bool, recent: RecentMessages) {
        self.seen = seen
        self.seenAt = seenAt
        self.isExact = isExact
        self.recent = recent
    }

    /// Whether a message whose number was seen already is the one that was seen, as far as is known.
    package func isRepeat(_ message: RoomMessage) -> Bool {
        agrees(message) ?? (seenAt == 0 || message.timestamp <= seenAt)
    }

    /// Behind which number the log is read to go on: the latest message comes once more, where it can be compared.
    package var readsBehind: Int { recent.message(seen.seq) == nil ? seen.seq : seen.seq - 1 }

    /// - Parameters:
    ///   - doubted: the first number under which something else than was seen has been found; nil where nothing was.
    ///   - limit: messages that are read at once.
    ///   - keepsLog: whether there is a log to be read.
    package func judge(_ answer: PositionAnswer, doubted: Int?, limit: Int, keepsLog: Bool) -> Verdict {
        // Whoever has seen nothing has lost nothing that the log still holds: a room's head that never had a message ends
        // with its last follower, and begins anew.
        guard seen.seq > 0 else { return goOn(answer, behind: 0) }
        let end = answer.end(of: seen.epoch)
        let latest = answer.message(seen.seq).flatMap(agrees)
        if let end, seen.seq <= end, latest ?? (doubted == nil) { return goOn(answer, behind: seen.seq) }
        guard keepsLog, answer.head.seq > 0 else {
            return .lostAll(behind: min(seen.seq, end ?? 0, (doubted ?? .max) - 1))
        }
        // Nothing behind this is common to both.
        var bound = min(seen.seq, end ?? answer.head.seq, answer.head.seq)
        if latest == false { bound = min(bound, seen.seq - 1) }
        let last = answer.messages.last { $0.seq <= bound && agrees($0) == true }
        if let last { return lose(answer, behind: last.seq) }
        if let first = recent.firstSeq, first <= bound {
            let from = max(first, bound + 1 - limit) - 1
            if answer.after ?? .max > from { return .readBehind(from) }
        } else if let end, end < seen.seq, seen.epoch != answer.head.epoch, doubted == nil {
            // An epoch that was closed ended there for everybody.
            return answer.after ?? .max > end ? .readBehind(end) : lose(answer, behind: end)
        }
        return answer.after ?? .max > 0 ? .readBehind(0) : lose(answer, behind: 0)
    }

    private func goOn(_ answer: PositionAnswer, behind seq: Int) -> Verdict {
        guard seq < answer.head.seq else { return .goesOn }
        guard let next = answer.messages.first(where: { $0.seq > seq }) else {
            return answer.more ? .goesOn : .lostAll(behind: seq)
        }
        return next.seq == seq + 1 ? .goesOn : .lost(after: next.seq - 1)
    }

    private func lose(_ answer: PositionAnswer, behind seq: Int) -> Verdict {
        guard let next = answer.messages.first(where: { $0.seq > seq }) else {
            return answer.more ? .lost(after: seq) : .lostAll(behind: seq)
        }
        return .lost(after: next.seq - 1)
    }

    /// Whether it is what was seen under its number; nil where that is not known any more.
    private func agrees(_ message: RoomMessage) -> Bool? {
        if let known = recent.message(message.seq) {
            return known.timestamp == message.timestamp && known.userId == message.userId
                && known.msgType == message.msgType && known.event == message.event
                && (known.payload == message.payload || known.isRedacted || message.isRedacted)
        }
        guard message.seq == seen.seq, seenAt > 0, isExact || message.timestamp >= seenAt else { return nil }
        return message.timestamp == seenAt
    }
}
