/// A storm of connections, and what they cost while they do nothing.
package struct ConnectScenario {
    package var options: LoadOptions
    package var connections: Int
    /// Members are spread over so many rooms.
    package var rooms: Int
    /// Whether each joins its room, or only gets its welcome.
    package var joins: Bool
    /// How long to look at them idle; 0 leaves that out.
    package var holdSeconds: Double
    /// How long to let the server settle before memory is read.
    package var settleSeconds: Double

    package init(
        options: LoadOptions, connections: Int, rooms: Int, joins: Bool, holdSeconds: Double, settleSeconds: Double
    ) {
        self.options = options
        self.connections = connections
        self.rooms = rooms
        self.joins = joins
        self.holdSeconds = holdSeconds
        self.settleSeconds = settleSeconds
    }

    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let layout = RoomLayout(rooms: rooms, publishers: 0, prefix: options.roomPrefix)
        let plan = options.plan(connections: connections, layout: layout, joins: joins)
        let processes = options.processes(for: connections)
        let stage = try Stage(plan: plan, processes: processes, worker: options.workerCommand, progress: progress)
        let meters = try Meters(of: options)
        var report = BenchReport(
            title: title,
            settings: [
                "\(connections) connections\(options.dialectNote) over \(rooms) rooms, "
                    + (joins ? "welcome and one join" : "welcome")
            ])
        let ownBefore = try stage.report().cpuSeconds
        let before = try meters.read()
        try stage.grow(to: connections)
        let after = try meters.read()
        let crew = try stage.report()
        let seconds = Double(after.at - before.at) / 1e9
        report.add("connections", Double(crew.ready))
        report.add("time", seconds, "s")
        report.add("connections per second", Double(crew.ready) / seconds)
        if let first = before.server, let last = after.server {
            report.add("server CPU", last.cpuSeconds - first.cpuSeconds, "s")
        }
        if let first = before.redis, let last = after.redis {
            report.add("redis CPU", last.cpuSeconds - first.cpuSeconds, "s")
        }
        report.add("tool CPU", crew.cpuSeconds - ownBefore, "s")
        report.add(latency: crew.openings, name: "until ready")
        if holdSeconds > 0 { try hold(stage, meters, before: before, ready: crew.ready, into: &report) }
        let tally = try stage.report().tally
        report.faults = tally.faults
        return report
    }

    private func hold(
        _ stage: Stage, _ meters: Meters, before: Meters.Reading, ready: Int, into report: inout BenchReport
    ) throws {
        try stage.hold(seconds: settleSeconds, "settling")
        let first = try meters.read()
        try stage.hold(seconds: holdSeconds, "\(stage.ready) idle")
        let last = try meters.read()
        let each = 1 / Double(max(1, ready))
        let seconds = Double(last.at - first.at) / 1e9
        report.add("held", seconds, "s")
        for (name, base, first, last) in [
            ("server", before.server, first.server, last.server), ("redis", before.redis, first.redis, last.redis),
        ] {
            guard let base, let first, let last else { continue }
            let bytes = Double(last.residentBytes - base.residentBytes)
            report.add("\(name) memory per connection", bytes / 1024 * each, "KiB")
            report.add("\(name) memory", Double(last.residentBytes) / 1_048_576, "MiB")
            let idle = (last.cpuSeconds - first.cpuSeconds) / seconds * 1e6 * each
            report.add("\(name) CPU per second and connection", idle, "µs")
        }
    }
}
