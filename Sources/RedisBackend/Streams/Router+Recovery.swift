import GatewayCore
import NIOCore

/// How holes are filled, and how what cannot be filled is told.
extension Router {
    /// Asks the log for what came after a position; one question at a time for each room.
    func catchUp(_ track: Track, after position: Position) {
        let errand = track.busy
        errand.needsCatchUp = false
        errand.isCatchingUp = true
        counters.caughtUp()
        let heldBefore = errand.held.count
        let part = AskPosition.Part(after: position.seq, limit: configuration.catchUpLimit)
        self.position(of: track, part) { [self] result in
            errand.isCatchingUp = false
            guard case .success(let answer) = result else {
                // Redis is away: the tick asks again.
                errand.needsCatchUp = true
                return look(at: track)
            }
            // What was heard before the question was asked is in the answer or in no log: it belongs to a run of Redis
            // that has been rolled back, and would be asked about for ever.
            errand.dropHeld(among: heldBefore) {
                $0.epoch != answer.head.epoch || $0.seq > answer.head.seq
            }
            recover(track, answer, from: position)
            settleParked(track)
            releaseHeld(track)
            if !answer.more { compareRoster(track, answer) }
            if errand.needsCatchUp, track.cursor.position == position {
                // Nothing has come of it: the tick asks again, not every round trip.
                look(at: track)
            } else {
                advance(track)
                look(at: track)
            }
        }
    }

    private func recover(_ track: Track, _ answer: PositionAnswer, from seen: Position) {
        // Whoever has seen nothing has lost nothing that the log still holds: a room's head that never had a message ends
        // with its last follower, and begins anew.
        let isGood = seen.seq == 0 || answer.isGood(epoch: seen.epoch, seq: seen.seq)
        let isWhole = isGood && answer.isWhole(after: seen.seq)
        switch track.cursor.recover(isGood: isWhole, head: answer.head) {
        case .lost(let position):
            counters.lost()
            logger.error(
                "Messages of a room were lost",
                metadata: ["room": "\(track.room)", "seq": "\(position.seq)"])
            budget.clear(track)
            outboxes.add(.gap(room: track.room, position: position), of: track)
            scheduleFlush()
        case .whole(let newEpoch):
            if let newEpoch {
                outboxes.add(.epoch(room: track.room, position: newEpoch), of: track)
                scheduleFlush()
            }
            for message in answer.messages { take(message, track) }
            if answer.more { track.busy.needsCatchUp = true }
        }
    }
}
