/// A storm of clients that come back: all are cut off, messages are published, all return with their sessions at once.
package struct ResumeScenario {
    package var options: LoadOptions
    package var connections: Int
    package var rooms: Int
    /// Messages to each room while its members are away; the gateway's log must hold them.
    package var missed: Int
    package var payloadBytes: Int
    /// How they are published: by REST or in batches.
    package var way: PublishPlan.Way
    /// How long to let the server take note of the cut before anything is published.
    package var settleSeconds: Double

    package init(
        options: LoadOptions, connections: Int, rooms: Int, missed: Int, payloadBytes: Int, way: PublishPlan.Way,
        settleSeconds: Double
    ) {
        self.options = options
        self.connections = connections
        self.rooms = rooms
        self.missed = missed
        self.payloadBytes = payloadBytes
        self.way = way
        self.settleSeconds = settleSeconds
    }

    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let layout = RoomLayout(rooms: rooms, publishers: 1, prefix: options.roomPrefix)
        var plan = options.plan(connections: connections, layout: layout, payloadBytes: payloadBytes)
        plan.keepsSessions = true
        let stage = try Stage(
            plan: plan, processes: options.processes(for: connections), worker: options.workerCommand,
            progress: progress)
        let sender = Publishers(plan: plan, way: way, picksRandomly: false, sockets: stage.sockets)
        let meters = try Meters(of: options)
        try stage.grow(to: connections)
        try stage.requireMembers()
        try stage.open(sender)
        let receivers = try stage.audiences().receivers
        try stage.cut()
        try stage.hold(seconds: settleSeconds, "all connections cut")
        let outcome = try PublishRun(
            stage: stage, publishers: sender,
            plan: PublishPlan(
                way: way, pace: .window(.max), messages: missed * rooms, seconds: options.patience, warmupSeconds: 0,
                drainSeconds: options.patience),
            progress: progress
        ).go(messages: missed * rooms, seconds: options.patience)

        let toolBefore = try stage.toolCPUSeconds()
        let before = try meters.read()
        try stage.comeBack()
        let after = try meters.read()
        let tool = try stage.toolCPUSeconds() - toolBefore
        // A repeat would come behind what was asked for.
        try stage.hold(seconds: 0.5, "all are back")
        let crew = try stage.wholeReport(with: sender)

        var report = BenchReport(
            title: title,
            settings: [
                "\(connections) connections over \(rooms) rooms, cut off, \(missed) messages of \(payloadBytes) bytes to "
                    + "each room, all back at once, \(plan.handshakes) on their way at a time"
            ])
        report.add("connections", Double(crew.ready))
        report.add("messages caught up with", Double(crew.tally.deliveries))
        report.add("until all had caught up", Double(after.at - before.at) / 1e9, "s")
        report.add(latency: crew.openings, name: "reconnect until caught up")
        report.addUse(
            from: before, to: after, toolSeconds: tool, toolProcesses: stage.processes, count: crew.ready,
            of: "resumes",
            per: (1000, "1,000"))
        report.add(redisCallsFrom: before, to: after, count: crew.ready, of: "resume")
        let expected = zip(outcome.publishedByRoom, receivers).reduce(0) { $0 + $1.0 * $1.1 }
        report.faults = crew.tally.faults
        if crew.tally.deliveries < expected {
            report.faults.append("\(expected - crew.tally.deliveries) of \(expected) missed messages lost")
        }
        if outcome.published < missed * rooms {
            report.faults.append("only \(outcome.published) of \(missed * rooms) messages were published in time")
        }
        return report
    }
}
