import ArgumentParser
import LoadBench

struct BenchConnect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "A storm of connections: how long it takes and what it costs.")

    @Option(name: [.customShort("n"), .long], help: "How many connections.")
    var connections = 1000

    @Option(name: .long, help: "Spread over so many rooms.")
    var rooms = 1

    @Flag(name: .long, help: "Take the welcome only and join no room.")
    var bare = false

    @OptionGroup var speech: DialectOptions
    @OptionGroup var options: BenchOptions

    func validate() throws { try Check.connections(connections, rooms: rooms) }

    func run() throws {
        try options.perform { title, progress in
            try ConnectScenario(
                options: options.load(speech), connections: connections, rooms: rooms, joins: !bare, holdSeconds: 0,
                settleSeconds: 0
            ).run(title: title, progress: progress)
        }
    }
}

struct BenchIdle: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Memory and CPU of connections that do nothing.")

    @Option(name: [.customShort("n"), .long], help: "How many connections.")
    var connections = 1000

    @Option(name: .long, help: "Spread over so many rooms.")
    var rooms = 1

    @Flag(name: .long, help: "Take the welcome only and join no room.")
    var bare = false

    @Option(name: .long, help: "Seconds to hold them.")
    var hold = 30.0

    @Option(name: .long, help: "Seconds to let the server settle first.")
    var settle = 3.0

    @OptionGroup var speech: DialectOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        try Check.connections(connections, rooms: rooms)
        if !(hold > 0 && settle >= 0) { throw ValidationError("times are not negative, and --hold is not 0") }
    }

    func run() throws {
        try options.perform { title, progress in
            try ConnectScenario(
                options: options.load(speech), connections: connections, rooms: rooms, joins: !bare, holdSeconds: hold,
                settleSeconds: settle
            ).run(title: title, progress: progress)
        }
    }
}

/// Rooms and members of the scenarios that publish.
struct CrowdOptions: ParsableArguments {
    @Option(name: .long, help: "How many rooms.")
    var rooms = 1

    @Option(name: .long, help: "Members of each room.")
    var members = 1000

    func validate() throws {
        try Check.range("--members", members, 1...1_000_000)
        try Check.connections(members * rooms, rooms: rooms)
    }

    func scenario(
        _ options: BenchOptions, _ publish: PublishOptions, _ speech: DialectOptions? = nil
    ) throws -> FanoutScenario {
        var scenario = FanoutScenario(
            options: try options.load(speech), rooms: rooms, members: members, publishers: publish.publishers,
            payloadBytes: publish.payload, picksRandomly: publish.random, publish: try publish.plan())
        scenario.isToEveryone = publish.to == .everyone
        return scenario
    }
}

struct BenchFanout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout", abstract: "Messages to the members of rooms: latency, and CPU for a million deliveries.")

    @OptionGroup(title: "Crowd") var crowd: CrowdOptions
    @OptionGroup(title: "Publishing") var publish: PublishOptions

    @Flag(name: .long, help: "Measure the floor server too, with one message under way, and give the ratio.")
    var besideFloor = false

    enum Peer: String, ExpressibleByArgument, CaseIterable {
        case nchan
    }

    @Option(name: .long, help: "What is at the target instead of a node: nchan (/sub?id=… and /pub?id=…).")
    var peer: Peer?

    @OptionGroup var speech: DialectOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard speech.dialect != .native else { return }
        if peer != nil { throw ValidationError("--peer takes --dialect native") }
        // Nobody who speaks Pusher's protocol is in the room that everyone is in.
        if publish.to == .everyone { throw ValidationError("--to everyone takes --dialect native") }
    }

    func run() throws {
        try options.perform { title, progress in
            let scenario = try crowd.scenario(options, publish, speech)
            if peer == .nchan { return try scenario.runOnNchan(title: title, progress: progress) }
            guard besideFloor else { return try scenario.run(title: title, progress: progress) }
            return try scenario.runBesideFloor(title: title, progress: progress)
        }
    }
}

struct BenchFloor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floor",
        abstract: "The yardstick: the same messages from a bare C epoll loop, started for this run.",
        discussion: "It keeps no log, checks no token and knows no Redis: only the writes to the sockets are left.")

    @OptionGroup(title: "Crowd") var crowd: CrowdOptions
    @OptionGroup(title: "Publishing") var publish: PublishOptions
    @OptionGroup var options: BenchOptions

    func run() throws {
        try options.perform { title, progress in
            try crowd.scenario(options, publish).runOnFloor(title: title, progress: progress)
        }
    }
}

struct BenchEcho: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Round trips through /echo (the node needs client.echo).")

    @Option(name: [.customShort("n"), .long], help: "How many connections, each with one message under way.")
    var connections = 10

    @Option(name: .long, help: "Bytes of a message.")
    var payload = 128

    @Option(name: .long, help: "How long.")
    var seconds = 5.0

    @Option(name: .long, help: "Seconds of the same before it is measured.")
    var warmup = 1.0

    @OptionGroup var options: BenchOptions

    func validate() throws {
        try Check.range("--connections", connections, 1...10_000)
        try Check.range("--payload", payload, Envelope.minBytes...Envelope.maxBytes)
        if !(seconds > 0 && warmup >= 0) { throw ValidationError("times are not negative, and --seconds is not 0") }
    }

    func run() throws {
        try options.perform { title, progress in
            try EchoScenario(
                options: options.load(), connections: connections, payloadBytes: payload, seconds: seconds,
                warmupSeconds: warmup
            ).run(title: title, progress: progress)
        }
    }
}

struct BenchPresence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presence",
        abstract: "Joins and leaves that the seated members of rooms are told of: each once, and what one costs.")

    @OptionGroup(title: "Crowd") var crowd: CrowdOptions

    @Option(name: .long, help: "Others, who join a room, leave it once all its members know, and go on to the next.")
    var churners = 10

    @Option(name: .long, help: "At most so many joins a second (else: as many as come).")
    var rate: Double?

    @Option(name: .long, help: "How long.")
    var seconds = 10.0

    @Option(name: .long, help: "Seconds of the same before it is measured.")
    var warmup = 1.0

    @OptionGroup var options: BenchOptions

    func validate() throws {
        try Check.range("--churners", churners, 1...10_000)
        if let rate, !(rate > 0 && rate <= 1e6) { throw ValidationError("--rate takes more than 0, up to 1000000") }
        if !(seconds > 0 && warmup >= 0) { throw ValidationError("times are not negative, and --seconds is not 0") }
    }

    func run() throws {
        try options.perform { title, progress in
            try PresenceScenario(
                options: options.load(), rooms: crowd.rooms, members: crowd.members, churners: churners, rate: rate,
                seconds: seconds, warmupSeconds: warmup
            ).run(title: title, progress: progress)
        }
    }
}

struct BenchResume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "A reconnect storm: all are cut off, miss messages, and come back for them.")

    @Option(name: [.customShort("n"), .long], help: "How many connections.")
    var connections = 1000

    @Option(name: .long, help: "Spread over so many rooms.")
    var rooms = 10

    @Option(name: .long, help: "Messages to each room while its members are away (the node's log.size holds 1000).")
    var missed = 20

    @Option(name: .long, help: "Bytes of a payload, a JSON string with its quotes.")
    var payload = 128

    @Option(name: .long, help: "Seconds between the cut and the first message.")
    var settle = 1.0

    @OptionGroup(title: "Publishing") var hook: HookOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        try Check.connections(connections, rooms: rooms)
        try Check.range("--missed", missed, 0...100_000)
        try Check.range("--payload", payload, Envelope.minBytes...Envelope.maxBytes)
        if settle < 0 { throw ValidationError("times are not negative") }
    }

    func run() throws {
        try options.perform { title, progress in
            try ResumeScenario(
                options: options.load(), connections: connections, rooms: rooms, missed: missed, payloadBytes: payload,
                way: .batch(api: hook.target(), key: try hook.apiKey(), size: 16), settleSeconds: settle
            ).run(title: title, progress: progress)
        }
    }
}

struct BenchLadder: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ladder", abstract: "More and more connections at one rate, up to where a limit breaks.")

    @Option(name: .long, help: "Connections of each step, ascending, with commas.")
    var steps = "100,200,500,1000,2000,5000"

    @Option(name: .long, help: "How many rooms they are spread over.")
    var rooms = 1

    @Option(name: .long, help: "Limit: p99 of the latency in milliseconds.")
    var maxP99 = 100.0

    @Option(name: .long, help: "Limit: percent of connections or deliveries that fail.")
    var maxErrors = 0.1

    @Option(name: .long, help: "Limit: CPU of the server in percent of one core.")
    var maxCPU = 100.0

    @OptionGroup(title: "Publishing (--seconds is for each step)") var publish: PublishOptions
    @OptionGroup var options: BenchOptions

    private var numbers: [Int] { steps.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        let count = steps.split(separator: ",").count
        guard numbers.count == count, let top = numbers.last, let first = numbers.first, first > 0,
            zip(numbers, numbers.dropFirst()).allSatisfy(<)
        else { throw ValidationError("--steps takes ascending numbers with commas between them") }
        try Check.connections(top, rooms: rooms)
    }

    func run() throws {
        try options.perform { title, progress in
            let fanout = FanoutScenario(
                options: try options.load(), rooms: rooms, members: 0, publishers: publish.publishers,
                payloadBytes: publish.payload, picksRandomly: publish.random, publish: try publish.plan())
            let limits = LadderScenario.Limits(
                p99Milliseconds: maxP99, errorPercent: maxErrors, serverPercent: maxCPU)
            return try LadderScenario(fanout: fanout, steps: numbers, limits: limits)
                .run(title: title, progress: progress)
        }
    }
}

/// Started by the others for themselves.
struct BenchWorker: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", shouldDisplay: false)

    func run() throws { try WorkerMain.run() }
}

/// Started by the others for themselves.
struct BenchFloorServer: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "floor-server", shouldDisplay: false)

    func run() throws { try FloorServer.run() }
}

extension Check {
    static func connections(_ connections: Int, rooms: Int) throws {
        try range("--rooms", rooms, 1...1_000_000)
        try range("connections", connections, 1...1_000_000)
    }
}
