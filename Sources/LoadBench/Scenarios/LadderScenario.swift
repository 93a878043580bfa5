/// More and more connections under the same rate of messages, up to where a limit breaks.
package struct LadderScenario {
    /// The limits that a step must keep to.
    package struct Limits: Sendable {
        package var p99Milliseconds: Double
        /// Connections not made or lost, and deliveries not made, in percent.
        package var errorPercent: Double
        /// CPU of the server in percent of one core.
        package var serverPercent: Double

        package init(p99Milliseconds: Double, errorPercent: Double, serverPercent: Double) {
            self.p99Milliseconds = p99Milliseconds
            self.errorPercent = errorPercent
            self.serverPercent = serverPercent
        }
    }

    /// `members` of it is not used: `steps` says how many there are.
    package var fanout: FanoutScenario
    /// Connections, ascending.
    package var steps: [Int]
    package var limits: Limits

    package init(fanout: FanoutScenario, steps: [Int], limits: Limits) {
        self.fanout = fanout
        self.steps = steps
        self.limits = limits
    }

    /// What was lost or refused breaks a step; only what should never be (damage, repeats, order) is a fault.
    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let options = fanout.options
        let top = steps.last ?? 0
        let meters = try Meters(of: options)
        let layout = RoomLayout(rooms: fanout.rooms, publishers: fanout.publishers, prefix: options.roomPrefix)
        var plan = options.plan(connections: top, layout: layout, payloadBytes: fanout.payloadBytes)
        plan.isToEveryone = fanout.isToEveryone
        let stage = try Stage(
            plan: plan, processes: options.processes(for: top), worker: options.workerCommand, progress: progress)
        let sender = Publishers(
            plan: plan, way: fanout.publish.way, picksRandomly: fanout.picksRandomly, sockets: stage.sockets)
        var report = BenchReport(
            title: title,
            settings: [
                "\(fanout.rooms) rooms, payload \(fanout.payloadBytes) bytes, \(NumberText.of(fanout.publish.seconds)) s a step",
                "limits: p99 \(NumberText.of(limits.p99Milliseconds)) ms, errors \(NumberText.of(limits.errorPercent)) %, "
                    + "server \(NumberText.of(limits.serverPercent)) % of a core",
            ])
        try stage.open(sender)
        for connections in steps {
            let (step, tally) = try climb(to: connections, stage, sender, meters, progress)
            report.steps.append(step)
            report.latency = tally.latency
            report.faults += tally.integrityFaults
            if step.broken != nil { break }
        }
        report.latencyName = "latency at \(report.steps.last?.connections ?? 0) connections"
        report.add("connections held", Double(report.steps.last { $0.broken == nil }?.connections ?? 0))
        return report
    }

    private func climb(
        to connections: Int, _ stage: Stage, _ sender: Publishers, _ meters: Meters, _ progress: RunProgress
    ) throws -> (BenchReport.Step, Tally) {
        try stage.grow(to: connections)
        try stage.requireMembers()
        if fanout.publish.warmupSeconds > 0 {
            _ = try PublishRun(stage: stage, publishers: sender, plan: fanout.publish, progress: progress)
                .go(messages: .max, seconds: fanout.publish.warmupSeconds)
        }
        let early = try stage.wholeReport(with: sender).tally.faultsOnly
        try stage.restart()
        let run = try PublishRun(stage: stage, publishers: sender, plan: fanout.publish, progress: progress)
        let before = try meters.read()
        let outcome = try run.go(messages: fanout.publish.messages, seconds: fanout.publish.seconds)
        let after = try meters.read()
        let report = try stage.wholeReport(with: sender)
        var tally = report.tally
        try stage.restart()

        let seconds = Double(after.at - before.at) / 1e9
        let missing = max(0, outcome.expected - tally.deliveries)
        let errors = max(
            Double(missing) / Double(max(1, outcome.expected)), Double(report.gone) / Double(max(1, connections)))
        var step = BenchReport.Step(
            connections: connections, deliveriesPerSecond: Double(tally.deliveries) / outcome.seconds,
            p50Milliseconds: Double(tally.latency.quantile(0.5)) / 1e6,
            p99Milliseconds: Double(tally.latency.quantile(0.99)) / 1e6, errorPercent: errors * 100,
            serverPercent: LadderScenario.percent(before.server, after.server, seconds),
            redisPercent: LadderScenario.percent(before.redis, after.redis, seconds),
            serverMiB: Double(after.server?.residentBytes ?? 0) / 1_048_576)
        tally.add(early)
        step.broken = broken(step, tally: tally, outcome)
        return (step, tally)
    }

    private func broken(_ step: BenchReport.Step, tally: Tally, _ outcome: PublishRun.Outcome) -> String? {
        if outcome.isOverrun { return "did not keep up" }
        if step.errorPercent > limits.errorPercent {
            let why = tally.connectionFaults.first.map { ": \($0)" } ?? ""
            return "errors\(why)"
        }
        if step.p99Milliseconds > limits.p99Milliseconds { return "p99" }
        return step.serverPercent > limits.serverPercent ? "server CPU" : nil
    }

    private static func percent(_ before: ProcessUse?, _ after: ProcessUse?, _ seconds: Double) -> Double {
        guard let before, let after else { return 0 }
        return (after.cpuSeconds - before.cpuSeconds) / seconds * 100
    }
}
