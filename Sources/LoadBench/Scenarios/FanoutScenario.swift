/// Messages to the members of rooms: every one is checked, and its cost is read.
package struct FanoutScenario {
    package var options: LoadOptions
    package var rooms: Int
    /// Members of each room.
    package var members: Int
    package var publishers: Int
    package var payloadBytes: Int
    /// Whether a publisher picks its rooms at random, or in turn.
    package var picksRandomly: Bool
    package var publish: PublishPlan
    /// Whether messages go to everyone, by REST, instead of to the rooms.
    package var isToEveryone = false

    package init(
        options: LoadOptions, rooms: Int, members: Int, publishers: Int, payloadBytes: Int, picksRandomly: Bool,
        publish: PublishPlan
    ) {
        self.options = options
        self.rooms = rooms
        self.members = members
        self.publishers = publishers
        self.payloadBytes = payloadBytes
        self.picksRandomly = picksRandomly
        self.publish = publish
    }

    package static let costName = "deliveries"

    /// The same load on the floor server in place of the gateway, started for it alone.
    package func runOnFloor(title: String, progress: RunProgress) throws -> BenchReport {
        let server = try ChildProcess(options.floorCommand)
        defer { server.end() }
        guard let port = UInt16(server.firstLine()) else { throw BenchFailure("the floor server did not start") }
        return try run(
            onFloorAt: .localhost(port: port), serverPid: server.pid, title: title, progress: progress)
    }

    /// The same load on a floor server that runs already.
    package func run(
        onFloorAt target: LoopbackTarget, serverPid: Int32, title: String, progress: RunProgress
    ) throws -> BenchReport {
        var floor = self
        floor.options.targets = [target]
        floor.publish.way = .floor
        return try floor.measure(title: title, style: .floor, Meters(serverPid: serverPid), progress)
    }

    /// The same load on an Nginx with nchan, which has `/sub` and `/pub` at the one target.
    package func runOnNchan(title: String, progress: RunProgress) throws -> BenchReport {
        guard let target = options.targets.first else { throw BenchFailure("there is no target") }
        var peer = self
        peer.publish.way = .nchan(target)
        return try peer.measure(title: title, style: .nchan, Meters(of: options), progress)
    }

    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let meters = try Meters(of: options)
        return try measure(title: title, style: .gateway, meters, progress)
    }

    private func measure(
        title: String, style: CrewPlan.Style, _ meters: Meters, _ progress: RunProgress
    ) throws -> BenchReport {
        let total = rooms * members
        let layout = RoomLayout(rooms: rooms, publishers: publishers, prefix: options.roomPrefix)
        var plan = options.plan(connections: total, style: style, layout: layout, payloadBytes: payloadBytes)
        plan.isToEveryone = isToEveryone
        let processes = options.processes(for: total)
        let stage = try Stage(plan: plan, processes: processes, worker: options.workerCommand, progress: progress)
        let sender = Publishers(
            plan: plan, way: publish.way, picksRandomly: picksRandomly, sockets: stage.sockets)
        var report = BenchReport(title: title, settings: settings)
        let began = Clock.now
        try stage.grow(to: total)
        report.add("connections", Double(stage.ready))
        report.add("until all were connected", Double(Clock.now - began) / 1e9, "s")
        try stage.requireMembers()
        try stage.open(sender)
        if publish.warmupSeconds > 0 {
            let warmup = try PublishRun(stage: stage, publishers: sender, plan: publish, progress: progress)
                .go(messages: .max, seconds: publish.warmupSeconds)
            report.faults = FanoutScenario.faults(of: try stage.wholeReport(with: sender).tally, warmup)
        } else {
            report.faults = try stage.wholeReport(with: sender).tally.faults
        }
        try stage.restart()

        let toolBefore = try stage.toolCPUSeconds()
        let run = try PublishRun(stage: stage, publishers: sender, plan: publish, progress: progress)
        let before = try meters.read()
        let outcome = try run.go(messages: publish.messages, seconds: publish.seconds)
        let after = try meters.read()
        let tool = try stage.toolCPUSeconds() - toolBefore
        let tally = try stage.wholeReport(with: sender).tally

        report.add("messages", Double(outcome.published))
        report.add("deliveries", Double(tally.deliveries))
        report.add("time", outcome.seconds, "s")
        report.add("messages per second", Double(outcome.published) / outcome.seconds)
        report.add("deliveries per second", Double(tally.deliveries) / outcome.seconds)
        report.addUse(
            from: before, to: after, toolSeconds: tool, toolProcesses: stage.processes, count: tally.deliveries,
            of: FanoutScenario.costName)
        report.add(latency: tally.latency, name: "latency")
        report.faults += FanoutScenario.faults(of: tally, outcome)
        return report
    }

    private var settings: [String] {
        let pace =
            switch publish.pace {
            case .window(let window): "\(window) under way"
            case .rate(let rate): "\(NumberText.of(rate)) a second"
            }
        let way =
            switch publish.way {
            case .rest: "REST"
            case .batch(_, _, let size): "REST in batches of \(size)"
            case .webSocket: "WebSocket (publishers are members too)"
            case .nchan: "POST to nchan"
            case .floor: "a WebSocket to the floor server"
            }
        return [
            "\(rooms) rooms x \(members) members\(options.dialectNote), payload \(payloadBytes) bytes",
            "\(publishers) publishers by \(way), \(pace), \(isToEveryone ? "to everyone" : "rooms \(picksRandomly ? "at random" : "in turn")")",
        ]
    }

    static func faults(of tally: Tally, _ outcome: PublishRun.Outcome) -> [String] {
        var faults = tally.faults
        let missing = outcome.expected - tally.deliveries
        if missing > 0 { faults.append("\(missing) of \(outcome.expected) deliveries lost") }
        if outcome.incomplete > 0, missing <= 0 {
            faults.append("\(outcome.incomplete) messages did not reach all of their room")
        }
        if outcome.isOverrun { faults.append("the server did not keep up: \(Audience.ring) messages were under way") }
        return faults
    }
}

extension Stage {
    /// What members and publishers have got.
    func wholeReport(with publishers: Publishers) throws -> CrewReport {
        var whole = try report()
        whole.tally.add(publishers.audience.tally)
        return whole
    }

    /// CPU of this process and its workers.
    func toolCPUSeconds() throws -> Double {
        let own = ProcessMeter.ownCPUSeconds()
        return hasWorkers ? try own + report().cpuSeconds : own
    }
}
