import ArgumentParser
import Foundation

/// `martlet top`: what all nodes do at this moment.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what all nodes do at this moment: clients, messages, latency, Redis, webhooks.",
        discussion: """
            Asks the api port of each node, every second or so:

              martlet top --api 10.0.0.1:8081 --api 10.0.0.2:8081 --key-file /run/secrets/api-key

            On a terminal it goes on until q or Ctrl-C; n, c, m, d, l and w sort by name, clients, messages, deliveries, \
            latency and events that wait for webhooks. Elsewhere, and with --once, it prints one table of the last second \
            and ends, with --json one object: {"nodes":[…],"totals":{…}}; on a terminal --json prints one a line. A node that does not answer is shown as such; exit 1 \
            where none does, or the key is refused.
            """)

    @Option(
        name: .long, parsing: .singleValue,
        help: "A node's api port, such as 10.0.0.1:8081 or https://node:8081; once for each node.")
    var api: [String]

    @OptionGroup var access: KeyOptions

    @Option(name: .long, help: "Seconds between two looks, 1 to 60.")
    var interval = 1

    @Flag(name: .long, help: "Print one table and end.")
    var once = false

    @Flag(name: .long, help: "Print JSON: one object, on a terminal without --once one a line.")
    var json = false

    func validate() throws {
        guard !api.isEmpty else { throw ValidationError("--api is missing: name the api port of each node") }
        guard (1...60).contains(interval) else { throw ValidationError("--interval takes 1 to 60 seconds") }
        _ = try targets()
    }

    func run() async throws {
        let watch = TopWatch(targets: try targets(), key: try access.key())
        let isTerminal = isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1
        var sight = await watch.look(after: nil)
        guard isTerminal, !once, !json else {
            repeat {
                try await Task.sleep(for: .seconds(interval))
                sight = await watch.look(after: sight)
                let view = TopView(sight)
                let text = json ? view.json : view.table(sortedBy: .name, width: .max)
                try FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
            } while isTerminal && !once
            if sight.nodes.allSatisfy({ $0.reading == nil }) || sight.trouble?.isOfKey == true {
                throw ExitCode.failure
            }
            return
        }
        let terminal = Terminal()
        defer { terminal.restore() }
        var order = TopView.Order.name
        while true {
            // Keys count at once, nodes are asked once an interval.
            switch terminal.key(within: .seconds(interval)) {
            case "q", "\u{3}": return
            case let key?:
                order = TopView.Order(key: key) ?? order
            case nil:
                sight = await watch.look(after: sight)
            }
            terminal.show(TopView(sight).table(sortedBy: order, width: terminal.width))
        }
    }

    private func targets() throws -> [HealthProbe.Target] {
        try api.map { text in
            let url = text.contains("://") ? text : "http://\(text)"
            guard var target = HealthProbe.Target(url: url),
                text.contains("://") || target.port != 80 || text.hasSuffix(":80")
            else { throw ValidationError("--api takes host:port, and not \(text)") }
            target.path = "/"
            return target
        }
    }
}
