/// Keeps churners joining and leaving for a time.
final class Churn {
    let churners: Churners

    private let stage: Stage
    private let rate: Double?
    private let patience: Double
    private let progress: RunProgress

    init(_ churners: Churners, stage: Stage, rate: Double?, patience: Double, progress: RunProgress) {
        self.churners = churners
        self.stage = stage
        self.rate = rate
        self.patience = patience
        self.progress = progress
        stage.guest = { [churners] in churners.handle($0) }
    }

    func open(parts: [Int]) throws {
        churners.open(parts: parts)
        let deadline = Clock.after(seconds: patience)
        while !churners.isSettled {
            try turn(until: Clock.after(seconds: 0.1))
            guard Clock.now < deadline else { throw BenchFailure("the churners did not get ready in time") }
        }
    }

    /// Joins and leaves until time is up, then waits until all is told that began.
    func go(seconds: Double) throws {
        let end = Clock.after(seconds: seconds)
        var due = Clock.now
        while Clock.now < end {
            churners.beginLeaves()
            let now = Clock.now
            while rate == nil || due <= now, churners.beginJoin() {
                if let rate { due += UInt64(1e9 / rate) }
            }
            // With nobody free to join, what ends the wait is someone's step coming to its end.
            let isWaitingForDue = rate != nil && due > now
            try turn(until: min(end, isWaitingForDue ? due : Clock.after(seconds: 0.5)))
            progress.show("\(churners.joins) joins, \(churners.underWay) under way")
        }
        let given = Clock.after(seconds: min(patience, 10))
        while churners.underWay > 0, Clock.now < given { try turn(until: Clock.after(seconds: 0.05)) }
    }

    /// What each room says to have for members.
    func audit(plan: CrewPlan) throws -> [Int?] {
        let audit = RosterAudit(plan: plan, sockets: stage.sockets)
        stage.guest = { [churners] event in
            event.tag.role == RosterAudit.role ? audit.handle(event) : churners.handle(event)
        }
        audit.open()
        let deadline = Clock.after(seconds: patience)
        while !audit.isOver, Clock.now < deadline {
            try turn(until: Clock.after(seconds: 0.1))
            if let failure = audit.failure { throw failure }
            progress.show("asking the rooms for their members")
        }
        return audit.counts
    }

    private func turn(until deadline: UInt64) throws {
        try stage.turn(until: deadline)
        for number in stage.takeCompleted() { churners.seen(number) }
        if let failure = churners.failure { throw failure }
    }
}
