import GatewayCore

/// What rooms' logs have let go of, for listeners with old positions.
struct Past: Sendable {
    /// Log and archive as one.
    let log: any MessageLog
    /// Messages that a listener may be behind.
    let limit: Int
}

/// A listener that has seen less than the log still holds goes on in the archive, a part at a time: it is not live before it
/// has come into the log.
extension Router {
    /// Messages read at once; a listener takes no more than its portion.
    private static let pastPart = 200

    /// A listener has its start: from the archive, where that has what the log has not.
    func begin(_ listener: Listener, _ start: StreamStart, _ track: Track) {
        guard let past, let since = old(listener, start, in: track.room, limit: past.limit) else {
            var start = start
            start.isArchiveAway = listener.past == .unavailable
            return answer(listener, start, track)
        }
        let room = track.room
        var range = HistoryRange(edge: .after(since), epoch: start.position.epoch, limit: Router.pastPart)
        range.maxBytes = max(1, min(range.maxBytes, listener.portion.bytes))
        past.log.history(of: room, range: range) { [self] result in
            loop.execute { [self] in pastAnswered(result, room, listener, start, since: since) }
        }
    }

    /// Behind which number the archive is to be read; nil where it is not.
    private func old(_ listener: Listener, _ start: StreamStart, in room: RoomName, limit: Int) -> Int? {
        guard !start.recovered, listener.past == nil, rules.now.isArchived(room), let since = listener.since,
            since.epoch ?? start.position.epoch == start.position.epoch, limit > 0,
            (1...limit).contains(start.position.seq - since.seq)
        else { return nil }
        return since.seq
    }

    private func pastAnswered(
        _ result: Result<HistoryPage, BackendError>, _ room: RoomName, _ listener: Listener, _ start: StreamStart,
        since: Int
    ) {
        // It may have been let go of meanwhile.
        let track = track(of: room)
        let conditions = conditions(of: track)
        // However long that took, it begins anew where it cannot be answered.
        var listener = Listener(
            ticket: listener.ticket, hub: listener.hub, since: listener.since, portion: listener.portion,
            deadline: conditions.now + conditions.settings.followTimeout)
        let present = track.machine.position ?? start.position
        if present.epoch == start.position.epoch {
            if case .success(let page) = result, page.continues(present.epoch, behind: since) {
                var start = start
                start.position = present
                start.recovered = true
                start.roster = track.machine.roster ?? start.roster
                start.settings = track.machine.settings.flatMap { $0.isGoverned ? $0 : nil }
                start.missed = []
                _ = listener.portion.fill(&start.missed, from: page.messages)
                start.hasMore = true
                return answer(listener, start, track)
            }
            if case .success(let page) = result, !page.isArchiveAway {
                listener.past = .nothing
            } else {
                listener.past = .unavailable
            }
        }
        perform(track.machine.listenerCame(listener, conditions), track)
    }
}

extension HistoryPage {
    /// Whether its messages follow this one of this epoch without a hole.
    fileprivate func continues(_ epoch: String, behind seq: Int) -> Bool {
        !messages.isEmpty
            && messages.enumerated().allSatisfy { $1.seq == seq + 1 + $0 && $1.position.epoch == epoch }
    }
}
