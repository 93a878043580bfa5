/// Joins and leaves in rooms whose seated members look on: each must be told once to every one of them.
package struct PresenceScenario {
    package var options: LoadOptions
    package var rooms: Int
    /// Seated members of each room.
    package var members: Int
    /// Connections that join a room, leave it once all its members know, and go on to the next.
    package var churners: Int
    /// At most so many joins a second; nil as many as come.
    package var rate: Double?
    package var seconds: Double
    package var warmupSeconds: Double

    package init(
        options: LoadOptions, rooms: Int, members: Int, churners: Int, rate: Double?, seconds: Double,
        warmupSeconds: Double
    ) {
        self.options = options
        self.rooms = rooms
        self.members = members
        self.churners = churners
        self.rate = rate
        self.seconds = seconds
        self.warmupSeconds = warmupSeconds
    }

    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let total = rooms * members
        let layout = RoomLayout(rooms: rooms, publishers: 0, prefix: options.roomPrefix)
        var plan = options.plan(connections: total, layout: layout)
        plan.churners = churners
        let stage = try Stage(
            plan: plan, processes: options.processes(for: total), worker: options.workerCommand, progress: progress)
        let meters = try Meters(of: options)
        try stage.grow(to: total)
        try stage.requireMembers()
        let (parts, seats) = try stage.audiences()
        let churn = Churn(
            Churners(plan: plan, sockets: stage.sockets), stage: stage, rate: rate, patience: options.patience,
            progress: progress)
        // The last joins of the seated members themselves are still told for a moment.
        try stage.hold(seconds: PresenceScenario.bundleSeconds, "settling")
        try churn.open(parts: parts)
        try churn.go(seconds: warmupSeconds)
        var faults = try stage.report().roster.faults
        try stage.restart()
        churn.churners.restart()

        let toolBefore = try stage.toolCPUSeconds()
        let before = try meters.read()
        try churn.go(seconds: seconds)
        let after = try meters.read()
        let tool = try stage.toolCPUSeconds() - toolBefore
        try stage.hold(seconds: PresenceScenario.bundleSeconds, "looking for repeats")
        let crew = try stage.report()
        let churners = churn.churners
        let audit = try churn.audit(plan: plan)

        let elapsed = Double(after.at - before.at) / 1e9
        let events = crew.roster.events + churners.roster.tally.events
        var report = BenchReport(title: title, settings: settings)
        report.add("joins", Double(churners.joins))
        report.add("leaves", Double(churners.leaves))
        report.add("presence events delivered", Double(events))
        report.add("time", elapsed, "s")
        report.add("joins per second", Double(churners.joins) / elapsed)
        report.add("events per second", Double(events) / elapsed)
        report.add(
            "events per frame", Double(events) / Double(max(1, crew.roster.frames + churners.roster.tally.frames)))
        report.addUse(
            from: before, to: after, toolSeconds: tool, toolProcesses: stage.processes, count: events,
            of: "presence events")
        report.addCost(from: before, to: after, count: churners.joins, of: "joins and leaves", per: (1000, "1,000"))
        report.add(latency: churners.spreads, name: "until all had been told")
        report.add(redisCallsFrom: before, to: after, count: churners.joins, of: "join and leave")

        let expected = zip(churners.changesByRoom, seats).reduce(0) { $0 + $1.0 * $1.1 }
        if crew.roster.seatedEvents != expected {
            faults.append("\(expected - crew.roster.seatedEvents) of \(expected) joins and leaves were not told")
        }
        if churners.underWay > 0 { faults.append("\(churners.underWay) joins or leaves were never told to all") }
        faults += crew.roster.faults + crew.tally.connectionFaults
        faults += churners.roster.tally.faults.map { "churners: \($0)" }
        faults += churners.errors.sorted { $0.key < $1.key }.map { "\($1) requests refused: \($0)" }
        for (room, count) in audit.enumerated() where count != seats[room] + churners.present[room] {
            let said = count.map(String.init) ?? "nothing"
            faults.append("room \(room) has \(seats[room] + churners.present[room]) members, and said \(said)")
        }
        report.faults = faults
        return report
    }

    private var settings: [String] {
        let pace = rate.map { "up to \(NumberText.of($0)) joins a second" } ?? "as fast as it goes"
        return [
            "\(rooms) rooms x \(members) seated members; \(churners) others join a room, leave it once all have been told "
                + "and go on, \(pace)"
        ]
    }

    /// Longer than a gateway holds joins and leaves back to tell several at once.
    private static let bundleSeconds = 0.6
}
