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
        case gather(LedgerPost)
        case send(LedgerPost, LedgerBatch)
        case settle(LedgerPost, LedgerBatch, LedgerOutcome)
        /// An attempt failed for this reason.
        case note(LedgerPost, String)
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
        var post: LedgerPost
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

    /// Time has passed; these are the partitions in this node's care now. A lane under another mark begins anew: what
    /// was under way in it belongs to whoever coordinates the partition.
    package mutating func tick(_ posts: [LedgerPost], now: MonotonicTime) -> [Action] {
        let kept = Set(posts.map(\.partition))
        lanes = lanes.filter { kept.contains($0.key) }
        var actions: [Action] = []
        for post in posts {
            if lanes[post.partition]?.post != post {
                lanes[post.partition] = Lane(post: post, phase: .idle(until: now))
            }
            guard let phase = lanes[post.partition]?.phase else { continue }
            switch phase {
            case .idle(let until) where until <= now:
                actions.append(gather(post))
            case .waiting(let delivery, let until) where until <= now:
                enqueue(delivery, post)
            case .unsettled(let batch, let outcome, let until) where until <= now:
                actions.append(settle(post, batch, outcome))
            case .idle, .gathering, .queued, .sending, .waiting, .settling, .unsettled:
                break
            }
        }
        return actions + dispatch()
    }

    package mutating func gathered(
        _ post: LedgerPost, _ result: Result<LedgerBatch?, LedgerError>, now: MonotonicTime
    ) -> [Action] {
        guard let lane = lanes[post.partition], lane.post == post, case .gathering = lane.phase else { return [] }
        switch result {
        case .failure:
            // Where it was refused, the mark is about to go.
            lanes[post.partition]?.phase = .idle(until: now + pace.storePause)
        case .success(nil):
            lanes[post.partition]?.phase = .idle(until: now + pace.interval)
            lanes[post.partition]?.lag = 0
            lanes[post.partition]?.emptyAt = now
        case .success(let batch?):
            lanes[post.partition]?.lag = batch.lag
            lanes[post.partition]?.emptyAt = nil
            if batch.events.isEmpty { return [settle(post, batch, .sent)] }
            enqueue(Delivery(batch: batch, began: now), post)
        }
        return dispatch()
    }

    /// `chance` lies between 0 and 1, and spreads the next attempt.
    package mutating func sent(
        _ post: LedgerPost, _ answer: Answer, now: MonotonicTime, chance: Double
    ) -> [Action] {
        requests -= 1
        guard let lane = lanes[post.partition], lane.post == post, case .sending(var delivery) = lane.phase else {
            return dispatch()
        }
        switch answer {
        case .taken:
            hurry()
            return [settle(post, delivery.batch, .sent)] + dispatch()
        case .failed(let reason):
            delivery.attempts += 1
            if mustGiveUp(delivery, now: now) {
                return [settle(post, delivery.batch, .givenUp(reason: reason))] + dispatch()
            }
            let pause = min(pace.longestPause, pace.firstPause * (1 << min(delivery.attempts - 1, 20)))
            lanes[post.partition]?.phase = .waiting(delivery, until: now + pause * (0.5 + chance / 2))
            return [.note(post, reason)] + dispatch()
        }
    }

    package mutating func settled(
        _ post: LedgerPost, _ result: Result<Void, LedgerError>, now: MonotonicTime
    ) -> [Action] {
        guard let lane = lanes[post.partition], lane.post == post, case .settling(let batch, let outcome) = lane.phase
        else { return [] }
        switch result {
        case .success where batch.hasMore:
            return [gather(post)]
        case .success:
            lanes[post.partition]?.phase = .idle(until: now + pace.interval)
            lanes[post.partition]?.lag = max(0, batch.lag - batch.entries.count)
        case .failure(.unavailable):
            // The receiver has it: what is told again is that, not the events.
            lanes[post.partition]?.phase = .unsettled(batch, outcome, until: now + pace.storePause)
        case .failure(.refused):
            lanes[post.partition]?.phase = .idle(until: now + pace.storePause)
        }
        return []
    }

    private mutating func gather(_ post: LedgerPost) -> Action {
        lanes[post.partition]?.phase = .gathering
        return .gather(post)
    }

    private mutating func settle(_ post: LedgerPost, _ batch: LedgerBatch, _ outcome: LedgerOutcome) -> Action {
        lanes[post.partition]?.phase = .settling(batch, outcome)
        return .settle(post, batch, outcome)
    }

    private mutating func enqueue(_ delivery: Delivery, _ post: LedgerPost) {
        lanes[post.partition]?.phase = .queued(delivery)
        queue.append(post.partition)
    }

    /// Begins as many requests as are allowed, those first that have waited longest.
    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        while requests < concurrency, let partition = queue.popFirst() {
            // A lane that began anew may stand in the queue twice, or no longer wait.
            guard let lane = lanes[partition], case .queued(let delivery) = lane.phase else { continue }
            requests += 1
            lanes[partition]?.phase = .sending(delivery)
            actions.append(.send(lane.post, delivery.batch))
        }
        return actions
    }

    /// The receiver answers again: what waits for its next attempt goes now, once, lest a lane that fails for a reason
    /// of its own hammers on while the others succeed.
    private mutating func hurry() {
        for lane in lanes.values.sorted(by: { $0.post.partition < $1.post.partition }) {
            guard case .waiting(var delivery, _) = lane.phase, !delivery.wasHurried else { continue }
            delivery.wasHurried = true
            enqueue(delivery, lane.post)
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
