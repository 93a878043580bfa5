import GatewayCore
import NIOCore

/// How holes are filled, and how what cannot be filled is told.
extension Router {
    /// Asks the log for what came after a position; one question at a time for each room.
    func catchUp(_ track: Track, after position: Position) {
        track.needsCatchUp = false
        track.isCatchingUp = true
        counters.caughtUp()
        let heldBefore = track.held.count
        self.position(of: track, seen: position) { [self] result in
            track.isCatchingUp = false
            guard case .success(let reply) = result,
                let answer = PositionAnswer(reply, room: track.room, after: position.seq)
            else {
                // Redis is away: the tick asks again.
                track.needsCatchUp = true
                unsettled[ObjectIdentifier(track)] = track
                return
            }
            // What was heard before the question was asked is in the answer or in no log: it belongs to a run of Redis
            // that has been rolled back, and would be asked about for ever.
            track.dropHeld(among: heldBefore) { $0.epoch != answer.head.epoch || $0.seq > answer.head.seq }
            recover(track, answer)
            settleParked(track)
            releaseHeld(track)
            if track.needsCatchUp, track.cursor.position == position {
                // Nothing has come of it: the tick asks again, not every round trip.
                unsettled[ObjectIdentifier(track)] = track
            } else {
                advance(track)
            }
        }
    }

    private func recover(_ track: Track, _ answer: PositionAnswer) {
        switch track.cursor.recover(isGood: answer.isGood, head: answer.head) {
        case .lost(let position):
            counters.lost()
            logger.error("Messages of a room were lost", metadata: ["room": "\(track.room)", "seq": "\(position.seq)"])
            budget.clear(track)
            outboxes.add(.gap(room: track.room, position: position), of: track)
            scheduleFlush()
        case .whole(let newEpoch):
            if let newEpoch {
                outboxes.add(.epoch(room: track.room, position: newEpoch), of: track)
                scheduleFlush()
            }
            for message in answer.messages { take(message, track) }
            if answer.more { track.needsCatchUp = true }
        }
    }
}
