/// Finds out where a listener begins, from what Redis answered and what this node has delivered since.
package enum ListenerStart: Sendable {
    case start(StreamStart)
    /// What it has missed has to be read from the log.
    case readLog

    /// - Parameters:
    ///   - seen: up to where the track has delivered; at or beyond the answer's head, under its epoch.
    ///   - roster: as the track was told it, at or beyond the answer's.
    ///   - portion: how much of what it has missed the listener takes at once.
    ///   - limit: how many missed messages at once.
    ///   - limits: what the room's log keeps.
    package init(
        since: ClientPosition?, answer: PositionAnswer, seen: Position, recent: RecentMessages,
        roster: RosterState?, portion: Portion, limit: Int, limits: LogLimits
    ) {
        var start = StreamStart(position: seen, roster: roster, timestamp: answer.timestamp)
        guard let since else {
            self = .start(start)
            return
        }
        let head = answer.head.seq
        let behind = since.seq(at: seen.seq)
        // Who asks for what there is has lost nothing that is not there.
        let takesWhatIsThere = since.seq <= 0
        // A part of nothing would leave open where the newest ones begin.
        let portion = since.last == nil ? portion : Portion(bytes: portion.bytes, atLeastOne: true)
        guard takesWhatIsThere || answer.isGood(epoch: since.epoch, seq: behind) else {
            start.recovered = false
            self = .start(start)
            return
        }
        let keepsLog = limits.size > 0
        // A log that keeps nothing has lost what came before the answer, whatever this node remembers.
        if !keepsLog, behind < head, !takesWhatIsThere {
            start.recovered = false
            self = .start(start)
            return
        }
        let from = keepsLog ? behind : head
        let remembered = recent.after(from)
        if from == seen.seq || recent.holds(after: from),
            (remembered.first?.timestamp ?? .max) >= answer.timestamp - limits.age.milliseconds
        {
            start.hasMore = !portion.fill(&start.missed, limit: limit, from: remembered)
            self = .start(start)
            return
        }
        guard keepsLog else {
            // It has gone on since the answer, and out of memory: the next answer says that it is lost.
            self = .readLog
            return
        }
        guard let after = answer.after, behind >= after,
            !answer.more || behind < answer.messages.last?.seq ?? 0
        else {
            self = .readLog
            return
        }
        let begins = takesWhatIsThere ? max((answer.messages.first?.seq ?? head + 1) - 1, behind) : behind
        guard answer.isWhole(after: begins) else {
            start.recovered = false
            self = .start(start)
            return
        }
        let fits = portion.fill(&start.missed, limit: limit, from: answer.messages(after: behind))
        start.hasMore = answer.more || !fits
        guard !start.hasMore, seen.seq > head else {
            self = .start(start)
            return
        }
        if recent.holds(after: head) {
            start.hasMore = !portion.fill(&start.missed, limit: limit, from: recent.after(head))
        } else if start.missed.isEmpty {
            // What has gone out of memory since the answer is asked for again.
            self = .readLog
            return
        } else {
            start.hasMore = true
        }
        self = .start(start)
    }
}
