/// One run of publishing: keeps the pace, knows what is under way, and ends when all has come or time is up.
final class PublishRun {
    /// The counts of what was published and of what should have come of it.
    struct Outcome {
        var published = 0
        /// The same by room, refused ones included.
        var publishedByRoom: [Int]
        var expected = 0
        /// Messages that not all receivers of their room were known to have got in the end.
        var incomplete = 0
        var seconds = 0.0
        /// The server did not keep up with the rate: more was under way than may be.
        var isOverrun = false
    }

    private let stage: Stage
    private let publishers: Publishers
    private let plan: PublishPlan
    private let progress: RunProgress
    private let parts: [Int]
    private let receivers: [Int]
    /// Messages under way: parts that have not said that it came, and its room.
    private var waiting: [UInt32: (parts: Int, room: Int)] = [:]
    private var nextNumber: UInt32 = 1
    private var outcome: Outcome

    init(stage: Stage, publishers: Publishers, plan: PublishPlan, progress: RunProgress) throws {
        self.stage = stage
        self.publishers = publishers
        self.plan = plan
        self.progress = progress
        (parts, receivers) = try stage.audiences()
        outcome = Outcome(publishedByRoom: parts.map { _ in 0 })
    }

    /// Publishes for so long, or so many, and waits for what is under way.
    func go(messages: Int, seconds: Double) throws -> Outcome {
        let start = Clock.now
        let end = Clock.after(seconds: seconds)
        var due = start
        while outcome.published < messages, Clock.now < end, !outcome.isOverrun {
            publishWhatIsDue(&due, messages: messages, end: end)
            try collect(until: nextLook(due: due, end: end))
            progress.show("\(outcome.published) published, \(waiting.count) under way")
        }
        let drained = Clock.after(seconds: plan.drainSeconds)
        while !(waiting.isEmpty && publishers.isIdle), Clock.now < drained {
            try collect(until: min(drained, Clock.after(seconds: 0.1)))
            progress.show("waiting for \(waiting.count) messages")
        }
        outcome.seconds = Double(Clock.now - start) / 1e9
        outcome.incomplete = waiting.count
        return outcome
    }

    private func publishWhatIsDue(_ due: inout UInt64, messages: Int, end: UInt64) {
        let group = plan.way.group
        while publishers.canPublish, outcome.published < messages {
            let now = Clock.now
            guard now < end else { return }
            let size = min(group, messages - outcome.published)
            switch plan.pace {
            case .window(let window):
                guard waiting.isEmpty || waiting.count + size <= window else { return }
                publish(size, due: now)
            case .rate(let rate):
                guard due <= now else { return }
                guard waiting.count + size < Audience.ring else {
                    outcome.isOverrun = true
                    return
                }
                publish(size, due: due)
                due += UInt64(Double(size) * 1e9 / rate)
            }
        }
    }

    private func publish(_ count: Int, due: UInt64) {
        let numbers = (0..<UInt32(count)).map { nextNumber + $0 }
        let rooms = publishers.publish(numbers, due: due)
        for (number, room) in zip(numbers, rooms) {
            outcome.published += 1
            outcome.publishedByRoom[room] += 1
            outcome.expected += receivers[room]
            if parts[room] > 0 { waiting[number] = (parts[room], room) }
        }
        nextNumber += UInt32(count)
    }

    private func nextLook(due: UInt64, end: UInt64) -> UInt64 {
        let soon = min(end, Clock.after(seconds: 0.5))
        guard case .rate = plan.pace, publishers.canPublish else { return soon }
        return min(soon, due)
    }

    private func collect(until deadline: UInt64) throws {
        try stage.turn(until: deadline)
        for number in stage.takeCompleted() {
            guard let entry = waiting[number] else { continue }
            waiting[number] = entry.parts > 1 ? (entry.parts - 1, entry.room) : nil
        }
        for number in publishers.refused {
            guard let entry = waiting.removeValue(forKey: number) else { continue }
            outcome.published -= 1
            outcome.expected -= receivers[entry.room]
        }
        publishers.refused = []
        if let failure = publishers.failure { throw failure }
    }
}
