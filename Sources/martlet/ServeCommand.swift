import ArgumentParser
import Foundation
import GatewayNode
import Logging

/// `martlet serve`: runs a node until it is told to end.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a gateway node until it is told to end.",
        discussion: """
            Settings come from the file, then from MARTLET_… variables, which win; `martlet config` explains all. \
            SIGTERM or Ctrl-C drains: clients are sent elsewhere before the node ends.

            Exit status: 0 after a drain, 69 where something it needs is missing or gone, 75 where another node has \
            taken its name, 78 where the configuration is wrong.
            """)

    @OptionGroup var file: ConfigurationOption

    func run() async throws {
        CoreDumps.forbid()
        // A log reader that went away must not take the node with it.
        signal(SIGPIPE, SIG_IGN)
        // Until the node tells of it in its log.
        signal(SIGHUP, SIG_IGN)
        let read: @Sendable (Bool) throws(SettingsError) -> (settings: Settings, warnings: [String]) = {
            [path = file.config] mayBeEmpty throws(SettingsError) in
            try Settings.load(
                file: path, environment: ProcessInfo.processInfo.environment, mayBeEmpty: mayBeEmpty)
        }
        let (settings, warnings) = try Console.orExit { try read(true) }
        LogOutput.begin(settings.log)
        let logger = Logger(label: "martlet")
        for warning in warnings {
            logger.warning("Setting passed over or doubtful", metadata: ["detail": "\(warning)"])
        }
        tell(settings, logger)
        do {
            try await Node(settings: settings, logger: logger) { () throws(SettingsError) in try read(false) }.run()
        } catch let failure as NodeFailure {
            Console.complain(failure.description)
            throw ExitCode(failure.status)
        }
    }

    /// Says what was decided: to people in lines, to log readers in one entry.
    private func tell(_ settings: Settings, _ logger: Logger) {
        let lines = settings.summary(partitions: Node.partitions)
        if settings.log.format == .text, isatty(STDERR_FILENO) == 1 {
            Console.say(lines.joined(separator: "\n  "))
        } else {
            logger.info("Starting", metadata: ["settings": .array(lines.map { .string($0) })])
        }
        if settings.isKeyMade, let key = settings.api.keys.first {
            Console.say("API key of this run: \(key)")
        }
    }
}
