import ArgumentParser
import Foundation
import LoadBench

/// `martlet bench capacity`: how many nodes a deployment needs, by what they cost on this machine.
struct BenchCapacity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capacity",
        abstract: "How many nodes of this machine's kind a deployment needs, from a minute's measurement.",
        discussion: """
            Starts a node with a private Redis, measures what connections, messages and deliveries cost here, and works out \
            which of processor, memory, network and descriptors ends first, how many nodes hold all where one is lost, and \
            what Redis needs:

              martlet bench capacity --connections 100000 --messages 1000 --receivers 50

            Run it on a machine like those that are to be, with nothing else on it.
            """)

    @Option(name: .long, help: "Connections, in all.")
    var connections = 100_000

    @Option(name: .long, help: "Messages a second, in all.")
    var messages = 1_000.0

    @Option(name: .long, help: "Members that a message reaches.")
    var receivers = 50.0

    @Option(name: .long, help: "Bytes of a payload.")
    var payload = 256

    @Option(name: .long, help: "A node's cores (else: this machine's).")
    var cores: Double?

    @Option(name: .long, help: "A node's memory in GiB (else: this machine's).")
    var memory: Double?

    @Option(name: .long, help: "A node's network in Mbit/s.")
    var network = 1_000.0

    @Option(name: .long, help: "A node's limit of descriptors (else: this shell's).")
    var descriptors: Int?

    @Option(name: .long, help: "What the members speak: native, pusher, or mixed.")
    var dialect = CrewPlan.Dialect.native

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        try Check.range("--connections", connections, 1...100_000_000)
        try Check.range("--payload", payload, Envelope.minBytes...Envelope.maxBytes)
        for (name, value) in [
            ("--messages", messages), ("--receivers", receivers), ("--network", network), ("--cores", cores ?? 1),
            ("--memory", memory ?? 1),
        ] where !(value > 0 && value <= 1e9) {
            throw ValidationError("\(name) takes more than 0")
        }
    }

    private struct Whole: Encodable {
        let costs: CapacityModel.Costs, machine: CapacityModel.Machine, wish: CapacityModel.Wish
        let answer: CapacityModel.Answer
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let machine = CapacityModel.Machine(
            cores: cores ?? Double(ProcessInfo.processInfo.activeProcessorCount),
            memoryBytes: memory.map { $0 * 1_073_741_824 } ?? Double(ProcessInfo.processInfo.physicalMemory),
            descriptors: Double(descriptors ?? Descriptors.raiseLimit()), networkBitsPerSecond: network * 1e6)
        let wish = CapacityModel.Wish(
            connections: Double(connections), messagesPerSecond: messages, receivers: receivers,
            payloadBytes: Double(payload))
        let costs: CapacityModel.Costs
        do {
            costs = try measure()
        } catch {
            Console.complain("\(error)")
            throw ExitCode(2)
        }
        let answer = CapacityModel(costs: costs, machine: machine).answer(to: wish)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            let whole = Whole(costs: costs, machine: machine, wish: wish, answer: answer)
            print(String(decoding: try encoder.encode(whole), as: UTF8.self))
        } else {
            print(report(costs, machine, wish, answer).table)
        }
    }

    private func measure() throws -> CapacityModel.Costs {
        let program = BenchOptions.own[0]
        let node = try OwnNode(program: program, threads: 1)
        defer { node.stop() }
        var options = LoadOptions(
            targets: [.localhost(port: node.clientPort)], workerCommand: [program, "bench", "worker"],
            floorCommand: [program, "bench", "floor-server"])
        options.dialect = dialect
        options.appKey = node.appKey
        return try CapacityScenario(options: options, api: .localhost(port: node.apiPort), key: node.key)
            .measure(payloadBytes: payload, progress: RunProgress { Console.say("  \($0)") })
    }

    private func report(
        _ costs: CapacityModel.Costs, _ machine: CapacityModel.Machine, _ wish: CapacityModel.Wish,
        _ answer: CapacityModel.Answer
    ) -> BenchReport {
        var report = BenchReport(
            title: BenchOptions.title,
            settings: [
                "\(connections) connections, \(messages) messages of \(payload) bytes a second, each to \(receivers)",
                "a node has \(machine.cores) cores, \(Int(machine.memoryBytes / 1_048_576)) MiB, \(network) Mbit/s, "
                    + "\(Int(machine.descriptors)) descriptors; 70 % of the first three are used",
            ])
        report.add("node memory of a connection", costs.nodeBytesPerConnection / 1024, "KiB")
        report.add("redis memory of a connection", costs.redisBytesPerConnection / 1024, "KiB")
        report.add("node CPU of a connection at rest", costs.nodeIdlePerConnection * 1e6, "µs/s")
        report.add("redis CPU of a connection at rest", costs.redisIdlePerConnection * 1e6, "µs/s")
        report.add("node CPU of a connect with a join", costs.nodePerConnect * 1e6, "µs")
        report.add("redis CPU of a connect with a join", costs.redisPerConnect * 1e6, "µs")
        report.add("node CPU of a message", costs.nodePerMessage * 1e6, "µs")
        report.add("redis CPU of a message", costs.redisPerMessage * 1e6, "µs")
        report.add("node CPU of a delivery", costs.nodePerDelivery * 1e6, "µs")
        for budget in answer.budgets where budget.connections < 1e12 {
            report.add("connections of a node by \(budget.name)", budget.connections.rounded(.down))
        }
        report.add("nodes, one of which may be lost", Double(answer.nodes))
        report.add("connections on each", Double(answer.connectionsPerNode))
        report.add("CPU of each", answer.nodeProcessorShare * 100, "%")
        report.add("CPU of each with one lost", answer.nodeProcessorShareWithOneLost * 100, "%")
        report.add("clients of a lost node are back after", answer.secondsUntilBack, "s")
        report.add("redis CPU", answer.redisProcessorShare * 100, "% of a core")
        report.add("redis servers by that", Double(answer.redisServers))
        report.add("redis memory without logs", answer.redisBytes / 1_048_576, "MiB")
        report.notes.append("The least is \(answer.budgets.first?.name ?? "unknown").")
        report.notes.append("Redis's copies of a message for more nodes than one are not counted.")
        if answer.redisServers > 1 { report.notes.append("One Redis does not carry this: take a Redis Cluster.") }
        return report
    }
}
