import GatewayCore

/// Finds out where a listener begins, from what Redis answered and what this node has delivered since.
enum ListenerStart {
    case start(StreamStart)
    /// What it has missed has to be read from the log.
    case readLog

    /// - Parameters:
    ///   - seen: up to where the track has delivered; at or beyond the answer's head, under its epoch.
    ///   - roster: as the track was told it, at or beyond the answer's.
    ///   - limit: how many missed messages at once.
    ///   - limits: what the room's log keeps.
    init(
        since: ClientPosition?, answer: PositionAnswer, seen: Position, recent: RecentMessages,
        roster: RosterState?,
        limit: Int, limits: LogLimits
    ) {
        var start = StreamStart(position: seen, roster: roster, timestamp: answer.timestamp)
        guard let since else {
            self = .start(start)
            return
        }
        let head = answer.head.seq
        let wantsAll = since.seq == 0
        guard wantsAll || answer.isGood(epoch: since.epoch, seq: since.seq) else {
            start.recovered = false
            self = .start(start)
            return
        }
        let keepsLog = limits.size > 0
        // A log that keeps nothing has lost what came before the answer, whatever this node remembers.
        if !keepsLog, since.seq < head, !wantsAll {
            start.recovered = false
            self = .start(start)
            return
        }
        let from = keepsLog ? since.seq : head
        if var missed = recent.after(from) ?? (from == seen.seq ? [] : nil),
            (missed.first?.timestamp ?? .max) >= answer.timestamp - limits.age.milliseconds
        {
            start.hasMore = missed.count > limit
            if start.hasMore { missed.removeLast(missed.count - limit) }
            start.missed = missed
            self = .start(start)
            return
        }
        guard keepsLog else {
            // It has gone on since the answer, and out of memory: the next answer says that it is lost.
            self = .readLog
            return
        }
        guard let after = answer.after, since.seq >= after,
            !answer.more || since.seq < answer.messages.last?.seq ?? 0
        else {
            self = .readLog
            return
        }
        var missed = Array(answer.messages.drop { $0.seq <= since.seq })
        let begins = wantsAll ? max((answer.messages.first?.seq ?? head + 1) - 1, 0) : since.seq
        guard answer.isWhole(after: begins) else {
            start.recovered = false
            self = .start(start)
            return
        }
        start.hasMore = answer.more
        if !answer.more, seen.seq > head {
            if let tail = recent.after(head) {
                missed += tail
            } else {
                start.hasMore = true
            }
        }
        // What has gone out of memory since the answer is asked for again from the last one given.
        guard !start.hasMore || !missed.isEmpty else {
            self = .readLog
            return
        }
        start.missed = missed
        self = .start(start)
    }
}
