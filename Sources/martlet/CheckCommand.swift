import ArgumentParser
import Foundation
import GatewayNode

/// `martlet check`: tries everything that a configuration names, before a node runs on it or beside one.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Try everything that the configuration names; exit 0, or 1 with an error.",
        discussion: """
            One line for each thing: ok, warning or error, what was seen, and what to do. It looks at ports, \
            certificates, the keys of tokens, limits of the system, and Redis: where it is, version, role, policy, \
            memory, persistence, replicas, latency, clock, scripts, publish and subscribe. It changes nothing.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp("The name that clients connect to, which the certificate must be for.", valueName: "host"))
    var name: String?

    @Flag(name: .long, help: "Print one JSON object in place of lines.")
    var json = false

    @Flag(name: .long, help: "Print the command that makes a user of Redis who may do what a node does, and end.")
    var acl = false

    @OptionGroup var file: ConfigurationOption

    func run() async throws {
        if acl {
            let settings = try Console.orExit {
                try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
            }
            return print(settings.redisUserCommand)
        }
        var findings: [Finding]
        do throws(SettingsError) {
            let (settings, warnings) = try Settings.load(
                file: file.config, environment: ProcessInfo.processInfo.environment)
            findings = warnings.map(Finding.init(settingsWarning:))
            findings += await Checkup(settings, name: name).findings()
        } catch {
            findings = [Finding(settingsError: error)]
        }
        let isWell = !findings.contains { $0.outcome == .error }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(Report(ok: isWell, findings: findings)), as: UTF8.self))
        } else {
            for finding in findings { print(finding.line) }
        }
        guard isWell else { throw ExitCode.failure }
    }

    private struct Report: Encodable {
        let ok: Bool
        let findings: [Finding]
    }
}
