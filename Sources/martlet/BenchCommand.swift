import ArgumentParser
import Foundation
import LoadBench

/// `martlet bench`: loads a gateway on this machine, checks what it delivers, and says what that cost.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load a gateway on this machine, check all it delivers, and read what it costs.",
        discussion: """
            Start a node to load, with limits that leave room for one busy publisher:

              MARTLET_AUTH_MODE=none MARTLET_API_KEY=local MARTLET_CLIENT_ECHO=true \\
                MARTLET_CLIENT_MESSAGES_PER_SECOND=100000 MARTLET_CLIENT_JOINS_PER_SECOND=100000 \\
                MARTLET_BUDGET_CONNECTION=0s MARTLET_BUDGET_USER=0s MARTLET_BUDGET_ROOM=0s martlet serve

            Then, for example, the cost of a delivery beside that of a bare C loop:

              martlet bench fanout --members 1000 --key local --beside-floor
              martlet bench fanout --rooms 1000 --members 10 --publishers 10 --via websocket --window 16
              martlet bench ladder --steps 1000,2000,4000 --rate 20 --key local --report ladder.html

            Members that speak Pusher's protocol name the key of an app that the node has; rooms are open to them as they \
            are to any such client (pusher.publicRooms):

              martlet bench fanout --members 1000 --key local --dialect mixed --app-key shop

            Only loopback addresses are ever loaded, but for `storm --remote`. The CPU of server and Redis is read by \
            their process numbers: the listener's and its private Redis's are found, others are given. Anything lost, \
            repeated, out of order or damaged is told and makes the exit status 1; 2 says that there was no run.
            """,
        subcommands: [
            BenchConnect.self, BenchIdle.self, BenchFanout.self, BenchEcho.self, BenchPresence.self, BenchResume.self,
            BenchLadder.self, BenchStorm.self, BenchCapacity.self,
            BenchFloor.self, BenchWorker.self, BenchFloorServer.self,
        ])
}

/// The options that every scenario takes.
struct BenchOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "A node's client port: host:port on loopback, or a port; repeated for several nodes. (default: 8080)")
    var target: [String] = []

    @Option(
        name: .long,
        help: "A server's process, whose CPU and memory are read (else: the targets' listeners); may be repeated.")
    var serverPid: [Int32] = []

    @Option(name: .long, help: "Redis's process (else: the private one of the server).")
    var redisPid: Int32?

    @Option(name: .long, help: "Processes that hold the connections (else: as many as the descriptor limit asks for).")
    var workers: Int?

    @Option(name: .long, help: "Source addresses, 127.0.0.2 and on (else: as many as the range of ports asks for).")
    var sources: Int?

    @Option(name: .long, help: "Connections on their way to being ready at once.")
    var handshakes = 256

    @Option(name: .long, help: "Seconds for a connection to get ready.")
    var patience = 60.0

    @Option(
        name: .long,
        help: "The secret of a node in auth.mode jwt, to sign users' tokens with (else: they just name themselves).")
    var tokenSecret: String?

    @Flag(name: .long, help: "Print the report as JSON.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("Write the report with its charts as one page.", valueName: "file.html"))
    var report: String?

    func validate() throws {
        try Check.range("--handshakes", handshakes, 1...100_000)
        if let workers { try Check.range("--workers", workers, 0...64) }
        if let sources { try Check.range("--sources", sources, 0...200) }
    }

    func load(_ speech: DialectOptions? = nil) throws -> LoadOptions {
        var options = LoadOptions(
            targets: try (target.isEmpty ? ["8080"] : target).map(LoopbackTarget.init),
            workerCommand: Self.own + ["bench", "worker"],
            floorCommand: Self.own + ["bench", "floor-server"])
        options.serverPids = serverPid
        options.redisPid = redisPid
        options.workers = workers
        options.sources = sources
        options.handshakes = handshakes
        options.patience = patience
        options.tokens = tokenSecret.map(Tokens.init)
        speech?.apply(to: &options)
        return options
    }

    static let own = [
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "martlet"
    ]

    /// Runs a scenario and prints what it found; ends the command with 2 where there was no run, 1 after faults.
    func perform(_ run: (String, RunProgress) throws -> BenchReport) throws {
        signal(SIGPIPE, SIG_IGN)
        let found: BenchReport
        do {
            found = try run(Self.title, RunProgress { Console.say("  \($0)") })
        } catch {
            Console.complain("\(error)")
            throw ExitCode(2)
        }
        print(json ? try found.json : found.table)
        if let report {
            try found.html.write(toFile: report, atomically: true, encoding: .utf8)
            Console.say("report written to \(report)")
        }
        guard found.faults.isEmpty else { throw ExitCode.failure }
    }

    /// A report is passed on; the secrets in the command line are not.
    static var title: String {
        (["martlet"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
            .replacing(/(--(?:key|token-secret)[ =])\S+/) { "\($0.1)…" }
    }
}

/// What the members speak.
struct DialectOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "What members speak: native, pusher, or mixed: every other member of a room speaks Pusher's protocol.")
    var dialect = CrewPlan.Dialect.native

    @Option(name: .long, help: "The key of the app that those name who speak it (else: MARTLET_PUSHER_KEY).")
    var appKey: String?

    func validate() throws {
        guard dialect != .native, key.isEmpty else { return }
        throw ValidationError("--dialect \(dialect.rawValue) takes --app-key, or MARTLET_PUSHER_KEY")
    }

    private var key: String { appKey ?? ProcessInfo.processInfo.environment["MARTLET_PUSHER_KEY"] ?? "" }

    func apply(to options: inout LoadOptions) {
        options.dialect = dialect
        options.appKey = key
    }
}

extension CrewPlan.Dialect: ExpressibleByArgument {}

/// The options of the scenarios that publish.
struct PublishOptions: ParsableArguments {
    enum Way: String, ExpressibleByArgument, CaseIterable {
        case rest
        case batch
        case websocket
    }

    enum Recipients: String, ExpressibleByArgument, CaseIterable {
        case rooms
        case everyone
    }

    @Option(name: .long, help: "To whom: rooms, or everyone at once (by rest or batch).")
    var to = Recipients.rooms

    @Option(name: .long, help: "How many publish.")
    var publishers = 1

    @Option(name: .long, help: "How they publish: rest, batch, or websocket as members of their rooms.")
    var via = Way.rest

    @OptionGroup var hook: HookOptions

    @Option(name: .long, help: "Messages in one batch.")
    var batch = 16

    @Option(name: .long, help: "Closed loop: so many messages that not all members have got are under way.")
    var window = 1

    @Option(name: .long, help: "Open loop instead: so many messages a second.")
    var rate: Double?

    @Option(name: .long, help: "Bytes of a payload, a JSON string with its quotes.")
    var payload = 128

    @Option(name: .long, help: "End after so many messages.")
    var messages: Int?

    @Option(name: .long, help: "End after so many seconds.")
    var seconds = 10.0

    @Option(name: .long, help: "Seconds of the same before it is measured.")
    var warmup = 1.0

    @Option(name: .long, help: "Seconds to wait for what is still under way in the end.")
    var drain = 10.0

    @Flag(name: .long, help: "Publishers take their rooms at random instead of in turn.")
    var random = false

    func validate() throws {
        if to == .everyone, via == .websocket { throw ValidationError("--to everyone goes by rest or batch") }
        try Check.range("--publishers", publishers, 1...9_999)
        try Check.range("--batch", batch, 1...1_000)
        try Check.range("--window", window, 1...50_000)
        try Check.range("--payload", payload, Envelope.minBytes...Envelope.maxBytes)
        if let rate, !(rate > 0 && rate <= 1e6) { throw ValidationError("--rate takes more than 0, up to 1000000") }
        if !(seconds > 0 && warmup >= 0 && drain >= 0) { throw ValidationError("times are not negative") }
    }

    func plan() throws -> PublishPlan {
        let way: PublishPlan.Way
        switch via {
        case .rest: way = .rest(api: try hook.target(), key: try hook.apiKey())
        case .batch: way = .batch(api: try hook.target(), key: try hook.apiKey(), size: batch)
        case .websocket: way = .webSocket
        }
        return PublishPlan(
            way: way, pace: rate.map { .rate($0) } ?? .window(window), messages: messages ?? .max, seconds: seconds,
            warmupSeconds: warmup, drainSeconds: drain)
    }
}

/// The options of a backend that publishes: where, and with which key.
struct HookOptions: ParsableArguments {
    @Option(name: .long, help: "The node's api port: host:port on loopback, or a port.")
    var api = "127.0.0.1:8081"

    @OptionGroup var access: KeyOptions

    func target() throws -> LoopbackTarget { try LoopbackTarget(api) }

    func apiKey() throws -> String { try access.key() }
}

/// Refuses numbers that make no sense.
enum Check {
    static func range(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ValidationError("\(option) takes \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
