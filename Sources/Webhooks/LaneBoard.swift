import DequeModule
import GatewayCore

/// The schedule of deliveries to one receiver: a lane for each partition in this node's care, in each of them one batch
/// at a time.
///
/// A batch that fails blocks its own lane and no other. No more requests are under way than the receiver is allowed.
/// Knows no clock, no store and no network: answers what is to be done next, and is told how that went.
package struct LaneBoard {
    /// The intervals, pauses and bounds of deliveries.
    package struct Pace: Sendable {
        /// How long a lane without events rests until it looks again; what comes meanwhile goes as one batch.
        package var interval = Duration.milliseconds(200)
        /// The pause after a first failure; it doubles with each further one.
        package var firstPause = Duration.milliseconds(500)
        package var longestPause = Duration.seconds(30)
        /// How long a lane rests after the store failed.
        package var storePause = Duration.seconds(1)
        /// What was tried less often is not given up, however old it is: all nodes may have been away for long.
        package var leastAttempts = 5

        package init() {}
    }

    package enum Action: Hashable, Sendable {
        case gather(LedgerAssignment)
        case send(LedgerAssignment, LedgerBatch)
        case settle(LedgerAssignment, LedgerBatch, LedgerOutcome)
        /// An attempt failed for this reason.
        case record(LedgerAssignment, String)
    }

    /// The outcome of a request.
    package enum Answer: Hashable, Sendable {
        case taken
        case failed(reason: String)
    }

    private struct Delivery {
        let batch: LedgerBatch
        let began: MonotonicTime
        var attempts = 0
        /// Whether it was tried before its time already, because the receiver answered elsewhere.
        var wasHurried = false
    }

    private enum Phase {
        case idle(until: MonotonicTime)
        case gathering
        /// Waits for one of the requests allowed.
        case queued(Delivery)
        case sending(Delivery)
        case waiting(Delivery, until: MonotonicTime)
        case settling(LedgerBatch, LedgerOutcome)
        case unsettled(LedgerBatch, LedgerOutcome, until: MonotonicTime)
    }

    private struct Lane {
        var assignment: LedgerAssignment
        var phase: Phase
        var lag = 0
        /// When it was last seen to hold nothing.
        var emptyAt: MonotonicTime?
    }

    private let pace: Pace
    private let giveUpAfter: Duration
    private let concurrency: Int
    private var lanes: [Int: Lane] = [:]
    private var queue: Deque<Int> = []
    /// Requests under way, those of lanes that are no longer ours included.
    private var requests = 0

    package init(pace: Pace, giveUpAfter: Duration, concurrency: Int) {
        self.pace = pace
        self.giveUpAfter = giveUpAfter
        self.concurrency = concurrency
    }

    /// Events in all lanes that the receiver has not taken, as they were last seen.
    package var lag: Int { lanes.values.reduce(0) { $0 + $1.lag } }

    /// Whether every lane was found empty at this moment or later.
    package func isEmpty(since moment: MonotonicTime) -> Bool {
        lanes.values.allSatisfy { $0.emptyAt.map { $0 >= moment } ?? false }
    }

    /// Time has passed; these are the partitions in this node's care now. A lane under another token begins anew: what
    /// was under way in it belongs to whoever coordinates the partition.
    package mutating func tick(_ assignments: [LedgerAssignment], now: MonotonicTime) -> [Action] {
        let kept = Set(assignments.map(\.partition))
        lanes = lanes.filter { kept.contains($0.key) }
        var actions: [Action] = []
        for assignment in assignments {
            if lanes[assignment.partition]?.assignment != assignment {
                lanes[assignment.partition] = Lane(assignment: assignment, phase: .idle(until: now))
            }
            guard let phase = lanes[assignment.partition]?.phase else { continue }
            switch phase {
            case .idle(let until) where until <= now:
                actions.append(gather(assignment))
            case .waiting(let delivery, let until) where until <= now:
                enqueue(delivery, assignment)
            case .unsettled(let batch, let outcome, let until) where until <= now:
                actions.append(settle(assignment, batch, outcome))
            case .idle, .gathering, .queued, .sending, .waiting, .settling, .unsettled:
                break
            }
        }
        return actions + dispatch()
    }

    package mutating func gathered(
        _ assignment: LedgerAssignment, _ result: Result<LedgerBatch?, LedgerError>, now: MonotonicTime
    ) -> [Action] {
        guard let lane = lanes[assignment.partition], lane.assignment == assignment, case .gathering = lane.phase else {
            return []
        }
        switch result {
        case .failure:
            // Where it was refused, the token is about to go.
            lanes[assignment.partition]?.phase = .idle(until: now + pace.storePause)
        case .success(nil):
            lanes[assignment.partition]?.phase = .idle(until: now + pace.interval)
            lanes[assignment.partition]?.lag = 0
            lanes[assignment.partition]?.emptyAt = now
        case .success(let batch?):
            lanes[assignment.partition]?.lag = batch.lag
            lanes[assignment.partition]?.emptyAt = nil
            if batch.events.isEmpty { return [settle(assignment, batch, .sent)] }
            enqueue(Delivery(batch: batch, began: now), assignment)
        }
        return dispatch()
    }

    /// `chance` lies between 0 and 1, and spreads the next attempt.
    package mutating func sent(
        _ assignment: LedgerAssignment, _ answer: Answer, now: MonotonicTime, chance: Double
    ) -> [Action] {
        requests -= 1
        guard let lane = lanes[assignment.partition], lane.assignment == assignment,
            case .sending(var delivery) = lane.phase
        else {
            return dispatch()
        }
        switch answer {
        case .taken:
            hurry()
            return [settle(assignment, delivery.batch, .sent)] + dispatch()
        case .failed(let reason):
            delivery.attempts += 1
            if mustGiveUp(delivery, now: now) {
                return [settle(assignment, delivery.batch, .givenUp(reason: reason))] + dispatch()
            }
            let pause = min(pace.longestPause, pace.firstPause * (1 << min(delivery.attempts - 1, 20)))
            lanes[assignment.partition]?.phase = .waiting(delivery, until: now + pause * (0.5 + chance / 2))
            return [.record(assignment, reason)] + dispatch()
        }
    }

    package mutating func settled(
        _ assignment: LedgerAssignment, _ result: Result<Void, LedgerError>, now: MonotonicTime
    ) -> [Action] {
        guard let lane = lanes[assignment.partition], lane.assignment == assignment,
            case .settling(let batch, let outcome) = lane.phase
        else { return [] }
        switch result {
        case .success where batch.hasMore:
            return [gather(assignment)]
        case .success:
            lanes[assignment.partition]?.phase = .idle(until: now + pace.interval)
            lanes[assignment.partition]?.lag = max(0, batch.lag - batch.entries.count)
        case .failure(.unavailable):
            // The receiver has it: what is told again is that, not the events.
            lanes[assignment.partition]?.phase = .unsettled(batch, outcome, until: now + pace.storePause)
        case .failure(.refused):
            lanes[assignment.partition]?.phase = .idle(until: now + pace.storePause)
        }
        return []
    }

    private mutating func gather(_ assignment: LedgerAssignment) -> Action {
        lanes[assignment.partition]?.phase = .gathering
        return .gather(assignment)
    }

    private mutating func settle(_ assignment: LedgerAssignment, _ batch: LedgerBatch, _ outcome: LedgerOutcome)
        -> Action
    {
        lanes[assignment.partition]?.phase = .settling(batch, outcome)
        return .settle(assignment, batch, outcome)
    }

    private mutating func enqueue(_ delivery: Delivery, _ assignment: LedgerAssignment) {
        lanes[assignment.partition]?.phase = .queued(delivery)
        queue.append(assignment.partition)
    }

    /// Begins as many requests as are allowed, those first that have waited longest.
    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        while requests < concurrency, let partition = queue.popFirst() {
            // A lane that began anew may stand in the queue twice, or no longer wait.
            guard let lane = lanes[partition], case .queued(let delivery) = lane.phase else { continue }
            requests += 1
            lanes[partition]?.phase = .sending(delivery)
            actions.append(.send(lane.assignment, delivery.batch))
        }
        return actions
    }

    /// The receiver answers again: what waits for its next attempt goes now, once, lest a lane that fails for a reason
    /// of its own hammers on while the others succeed.
    private mutating func hurry() {
        for lane in lanes.values.sorted(by: { $0.assignment.partition < $1.assignment.partition }) {
            guard case .waiting(var delivery, _) = lane.phase, !delivery.wasHurried else { continue }
            delivery.wasHurried = true
            enqueue(delivery, lane.assignment)
        }
    }

    private func mustGiveUp(_ delivery: Delivery, now: MonotonicTime) -> Bool {
        guard delivery.attempts >= pace.leastAttempts else { return false }
        let tried = now - delivery.began
        switch delivery.batch.kind {
        case .replay: return tried >= giveUpAfter
        case .loss: return false
        case .news:
            let youngest = delivery.batch.events.last?.timestamp ?? delivery.batch.gatheredAt
            return .milliseconds(delivery.batch.gatheredAt - youngest) + tried >= giveUpAfter
        }
    }
}
