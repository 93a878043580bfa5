import ArgumentParser
import GatewayNode

/// `martlet config`: prints the explained configuration file.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print a configuration file that shows every key with its default and explains it.")

    func run() {
        print(SettingsTemplate.yaml, terminator: "")
    }
}
