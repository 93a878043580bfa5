import ArgumentParser
import Foundation
import LoadBench
import MartletClient
import StormJudge
import UnixSignals

/// `martlet bench storm`: clients and messages while somebody breaks things, then a judgement of all that arrived.
struct BenchStorm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "Clients and messages while you kill things, then a judgement: lost, doubled, falsely told.",
        discussion: """
            Give it a deployment's client ports, or that of its balancer, and the api port of each node, and break what you \
            like meanwhile:

              martlet bench storm --target 127.0.0.1:8080 --api 127.0.0.1:8081 --key-file /run/secrets/api-key --seconds 120

            Clients stay in their rooms and come back when they are cut off; each message is repeated with its key until a \
            node has stored it. In the end every client must have had every acknowledged message once and in order, nobody \
            been told to have gone who was served, and all be in place by every node and every client's roster. Rooms and \
            users have names of their own (storm-…), and are taken away afterwards as far as the key allows. Ctrl-C ends \
            the publishing, not the judgement. Exit 1 on any fault, 2 where there was no run.
            """)

    @Option(
        name: .long, parsing: .singleValue,
        help: "A client port: host:port, or ws://… or wss://…; once for each. (default: 127.0.0.1:8080)")
    var target: [String] = []

    @Option(
        name: .long, parsing: .singleValue,
        help: "A node's api port: host:port, or http://… or https://…; once for each. (default: 127.0.0.1:8081)")
    var api: [String] = []

    @OptionGroup var access: KeyOptions

    @Option(name: .long, help: "The secret of a deployment in auth.mode jwt (HS256), or MARTLET_AUTH_SECRET.")
    var tokenSecret: String?

    @Option(name: .long, help: "How many clients.")
    var clients = 30

    @Option(name: .long, help: "How many rooms; each client is in three of them.")
    var rooms = 3

    @Option(name: .long, help: "Messages a second, to the rooms in turn.")
    var rate = 50

    @Option(name: .long, help: "For how long.")
    var seconds = 60

    @Option(name: .long, help: "Milliseconds that a client may be unserved before others are told that it has gone.")
    var grace = 2_000

    @Option(name: .long, help: "Seconds after the last message within which all has to be there, and all nodes agree.")
    var settle = 60

    @Flag(name: .long, help: "Redis may lose what it has acknowledged (a failover): gaps that are told are no fault.")
    var allowGaps = false

    @Flag(name: .long, help: "Storm what is not on loopback: a deployment of yours.")
    var remote = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("Write the report as one page.", valueName: "file.html"))
    var report: String?

    func validate() throws {
        try Check.range("--grace", grace, 0...120_000)
        try Check.range("--settle", settle, 1...3600)
        _ = try plan(run: "x")
        _ = try places()
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let (targets, apis) = try places()
        let run = String(UInt32.random(in: 0 ... .max), radix: 36)
        let backend = StormBackend(apis: apis.map(\.url), key: try access.key())
        let secret = tokenSecret ?? ProcessInfo.processInfo.environment["MARTLET_AUTH_SECRET"]
        let ending = StormEnding()
        let storm = StormRun(
            plan: try plan(run: run), urls: targets.map { "\($0.url)/ws" }, backend: backend,
            tokens: secret.map(Tokens.init), mercy: allowGaps ? .losses : .none, grace: .milliseconds(grace),
            settling: .seconds(settle), ending: ending, say: { Console.say("  \($0)") })
        let outcome: StormOutcome
        do {
            outcome = try await perform(storm, until: ending)
            await backend.shutdown()
        } catch {
            await backend.shutdown()
            Console.complain("\(error)")
            throw ExitCode(2)
        }
        let page = outcome.report(
            title: BenchOptions.title,
            settings: ["\(clients) clients in \(rooms) rooms, \(rate) messages a second, run \(run)"])
        print(json ? try outcome.json() : page.table)
        if let report {
            try page.html.write(toFile: report, atomically: true, encoding: .utf8)
            Console.say("report written to \(report)")
        }
        guard page.faults.isEmpty else { throw ExitCode.failure }
    }

    /// The first Ctrl-C ends the publishing, the second one all.
    private func perform(_ storm: StormRun, until ending: StormEnding) async throws -> StormOutcome {
        try await withThrowingTaskGroup(of: StormOutcome?.self) { group in
            group.addTask { try await storm.perform() }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) where !ending.ask() {
                    throw BenchFailure("interrupted")
                }
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let outcome { return outcome }
            }
            throw BenchFailure("interrupted")
        }
    }

    private func plan(run: String) throws -> StormPlan {
        do throws(StormPlan.Refusal) {
            return try StormPlan(clients: clients, rooms: rooms, rate: rate, seconds: seconds, run: run)
        } catch {
            throw ValidationError(error.description)
        }
    }

    private func places() throws -> (targets: [StormPlace], apis: [StormPlace]) {
        func places(_ option: String, _ texts: [String], _ plain: String, _ secure: String) throws -> [StormPlace] {
            try texts.map { text in
                guard let place = StormPlace(text, plain: plain, secure: secure) else {
                    throw ValidationError("\(option) takes host:port, and not \(text)")
                }
                guard remote || place.isLoopback else {
                    throw ValidationError("\(option) \(text) is not on loopback: --remote storms it all the same")
                }
                return place
            }
        }
        return (
            try places("--target", target.isEmpty ? ["127.0.0.1:8080"] : target, "ws", "wss"),
            try places("--api", api.isEmpty ? ["127.0.0.1:8081"] : api, "http", "https")
        )
    }
}
