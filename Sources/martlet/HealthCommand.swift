import ArgumentParser
import Foundation
import GatewayNode

/// `martlet health`: asks a node whether it lives, for container health checks.
struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask the node on this machine whether it is well; exit 0 if so, else 1.",
        discussion: """
            Asks /healthz of the api port that file and variables name. A node without its Redis lives and keeps its \
            clients, so it is well; --ready asks /readyz, which says no then.
            """)

    @Flag(name: .long, help: "Ask whether it takes new clients: Redis reached, not draining.")
    var ready = false

    @Option(name: .long, help: "Ask this address instead, such as http://127.0.0.1:8081/healthz.")
    var url: String?

    @OptionGroup var file: ConfigurationOption

    func run() throws {
        let target = try target()
        do {
            let status = try HealthProbe.status(of: target, timeout: 3)
            guard status == 200 else {
                Console.complain("\(target) answered \(status)")
                throw ExitCode.failure
            }
        } catch let failure as HealthProbe.Failure {
            Console.complain("\(target) \(failure.description)")
            throw ExitCode.failure
        }
    }

    private func target() throws -> HealthProbe.Target {
        if let url {
            guard let target = HealthProbe.Target(url: url) else {
                throw ValidationError("--url takes an address such as http://127.0.0.1:8081/healthz")
            }
            return target
        }
        let settings = try Console.orExit {
            try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
        }
        let api = settings.api
        // Bound to every address, it answers on the machine's own.
        let host =
            switch api.host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "::1"
            default: api.host
            }
        return HealthProbe.Target(
            host: host, port: api.port, path: ready ? "/readyz" : "/healthz", isSecure: settings.apiTLS.isSecure)
    }
}
