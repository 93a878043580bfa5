import Foundation
import StormJudge
import Synchronization

/// Publishes what a storm consists of, each message once and again until somebody has stored it.
final class StormPublisher: Sendable {
    struct Books: Sendable {
        var published = 0
        var waiting = 0
        /// By number of the room.
        var stored: [[Reckoning.Stored]]
        /// When, of each room, in order.
        var times: [[Duration]]
        /// Answers that were none, or told of something that passes.
        var refused = 0
        /// Messages that nobody has stored in time; some may be, unacknowledged.
        var givenUp = 0

        var acknowledged: Int { stored.reduce(0) { $0 + $1.count } }
    }

    private let plan: StormPlan
    private let backend: StormBackend
    private let start: ContinuousClock.Instant
    private let ending: StormEnding
    private let record: Mutex<Books>

    /// So many wait for their acknowledgement at most; then the next is published when one of them has it.
    private static let maxWaiting = 4_096
    /// Until then each is tried again.
    private static let patience = Duration.seconds(60)
    private static let pause = Duration.milliseconds(100)

    init(_ plan: StormPlan, _ backend: StormBackend, start: ContinuousClock.Instant, ending: StormEnding) {
        self.ending = ending
        self.plan = plan
        self.backend = backend
        self.start = start
        let none = [[Reckoning.Stored]](repeating: [], count: plan.rooms)
        record = Mutex(Books(stored: none, times: [[Duration]](repeating: [], count: plan.rooms)))
    }

    var books: Books { record.withLock { $0 } }

    /// Returns when the last message is acknowledged, or given up.
    func publish() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            let clock = ContinuousClock()
            let begin = clock.now
            for message in 0..<plan.messages where !ending.isAsked {
                try await clock.sleep(until: begin + .seconds(1) * message / plan.rate)
                while record.withLock({ $0.waiting >= StormPublisher.maxWaiting }) {
                    try await clock.sleep(for: StormPublisher.pause)
                }
                record.withLock {
                    $0.published += 1
                    $0.waiting += 1
                }
                group.addTask { try await self.store(message) }
            }
        }
    }

    private func store(_ message: Int) async throws {
        defer { record.withLock { $0.waiting -= 1 } }
        let room = plan.room(of: message)
        let body =
            #"{"to":{"rooms":["\#(plan.room(room))"]},"payload":"\#(message)","idempotencyKey":"\#(plan.idempotencyKey(message))"}"#
        let end = ContinuousClock.now + StormPublisher.patience
        repeat {
            let answer = await backend.call(
                "POST", "/v1/broadcast", body: body, at: Int.random(in: backend.apis.indices))
            if answer?.status == 200, let place = (answer?.json?["rooms"] as? [[String: Any]])?.first,
                let seq = place["seq"] as? Int
            {
                return record.withLock { books in
                    books.stored[room].append(Reckoning.Stored(seq: seq, message: message))
                    books.times[room].append(start.duration(to: .now))
                }
            }
            record.withLock { $0.refused += 1 }
            try await ContinuousClock().sleep(for: StormPublisher.pause)
        } while ContinuousClock.now < end
        record.withLock { $0.givenUp += 1 }
    }
}

/// Whether a storm is to end before its time.
final class StormEnding: Sendable {
    private let asked = Mutex(false)

    var isAsked: Bool { asked.withLock { $0 } }

    /// Answers false where it was asked before.
    func ask() -> Bool {
        asked.withLock { asked in
            defer { asked = true }
            return !asked
        }
    }
}
