/// The options that all scenarios share.
package struct LoadOptions: Sendable {
    /// The client ports of one node or several: each room's members are spread over them in turn.
    package var targets: [LoopbackTarget]
    /// Empty: the processes that listen at the targets.
    package var serverPids: [Int32] = []
    /// Left out, the Redis that the server started, where it did.
    package var redisPid: Int32?
    /// Processes that hold the connections; 0 is this one alone, nil as many as the limit of descriptors asks for.
    package var workers: Int?
    /// Source addresses; nil is as many as the range of ports asks for.
    package var sources: Int?
    /// Connections on their way to being ready at once.
    package var handshakes = 256
    /// Seconds for a connection to get ready.
    package var patience = 60.0
    /// The commands that start this program as its own worker, and as the floor server.
    package var workerCommand: [String]
    package var floorCommand: [String]
    /// For nodes in `auth.mode: jwt`.
    package var tokens: Tokens?
    /// What members speak, and the key of the app that those name who speak Pusher's protocol.
    package var dialect = CrewPlan.Dialect.native
    package var appKey = ""
    /// Room names begin with it.
    package var roomPrefix: String

    package init(
        targets: [LoopbackTarget], workerCommand: [String], floorCommand: [String], roomPrefix: String? = nil
    ) {
        self.targets = targets
        self.workerCommand = workerCommand
        self.floorCommand = floorCommand
        // No run meets the messages of another.
        self.roomPrefix = roomPrefix ?? "bench-\(String(UInt32.random(in: 0 ... .max), radix: 36))-"
    }

    package func plan(
        connections: Int, style: CrewPlan.Style = .gateway, layout: RoomLayout? = nil,
        payloadBytes: Int = 128, joins: Bool = true
    ) -> CrewPlan {
        CrewPlan(
            targets: targets, style: style, dialect: dialect, appKey: appKey,
            layout: layout ?? RoomLayout(rooms: 1, publishers: 0, prefix: roomPrefix), payloadBytes: payloadBytes,
            sources: sources ?? (connections > Self.portsOfSource ? connections / Self.portsOfSource + 1 : 0),
            handshakes: handshakes, joins: joins, tokens: tokens, patience: patience)
    }

    /// What a report says of the members, behind their number.
    var dialectNote: String {
        switch dialect {
        case .native: ""
        case .pusher: ", who speak Pusher's protocol"
        case .mixed: ", every other of whom speaks Pusher's protocol"
        }
    }

    /// How many worker processes hold this many connections.
    func processes(for connections: Int) -> Int {
        let each = Descriptors.raiseLimit() - Self.spareDescriptors
        if let workers { return workers }
        return connections <= each ? 0 : (connections + each - 1) / max(1, each)
    }

    /// Of the 28,000 ports that Linux hands out by itself.
    private static let portsOfSource = 20_000
    private static let spareDescriptors = 200
}

extension BenchReport {
    /// The CPU that server, Redis and tool used between two readings, for each so many of what was done.
    mutating func addUse(
        from first: Meters.Reading, to last: Meters.Reading, toolSeconds: Double, toolProcesses: Int = 1, count: Int,
        of what: String, per unit: (size: Double, name: String) = (1e6, "million")
    ) {
        let scale = unit.size / Double(max(1, count))
        let each = "CPU per \(unit.name) \(what)"
        var total = 0.0
        for (name, before, after) in [("server", first.server, last.server), ("redis", first.redis, last.redis)] {
            guard let before, let after else { continue }
            let seconds = after.cpuSeconds - before.cpuSeconds
            total += seconds
            add("\(name) CPU", seconds, "s")
            add("\(name) \(each)", seconds * scale, "s")
        }
        if first.redis != nil { add("server and redis \(each)", total * scale, "s") }
        add("tool \(each)", toolSeconds * scale, "s")
        if total > 0 { add("tool CPU of server's and redis's", toolSeconds / total, "x") }
        let elapsed = Double(last.at - first.at) / 1e9
        let busy = toolSeconds / max(elapsed, 1e-9) / Double(toolProcesses) * 100
        add("tool busy", busy, "% of a core")
        if busy > 90 { notes.append("The tool itself was the limit: take more --workers, or another machine.") }
        addMemory(last)
    }

    /// The CPU of server and Redis together for each so many of something else that was done in the same time.
    mutating func addCost(
        from first: Meters.Reading, to last: Meters.Reading, count: Int, of what: String,
        per unit: (size: Double, name: String)
    ) {
        var total = 0.0
        for (before, after) in [(first.server, last.server), (first.redis, last.redis)] {
            if let before, let after { total += after.cpuSeconds - before.cpuSeconds }
        }
        add("server and redis CPU per \(unit.name) \(what)", total * unit.size / Double(max(1, count)), "s")
    }

    private mutating func addMemory(_ last: Meters.Reading) {
        if let server = last.server { add("server memory", Double(server.residentBytes) / 1_048_576, "MiB") }
        if let redis = last.redis { add("redis memory", Double(redis.residentBytes) / 1_048_576, "MiB") }
    }
}
