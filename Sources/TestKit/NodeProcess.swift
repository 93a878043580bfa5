import Foundation

/// A real `martlet serve` process on ports of its own choosing; dies with the test process.
package final class NodeProcess: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) {
            self.description = description
        }
    }

    private typealias Child = RedisServerProcess.ChildProcess

    package let clientPort: Int
    package let apiPort: Int
    private let child: WardedChild
    private let output: ProcessOutput

    /// What REST calls carry.
    package static let apiKey = "test-key"

    /// The executable that was built beside the tests, or the one that `MARTLET_TEST_NODE` names.
    package static var executable: String {
        get throws {
            if let other = ProcessInfo.processInfo.environment["MARTLET_TEST_NODE"] { return other }
            // The test bundle lies in the same folder; the process's own name is the runner's.
            let folders = CommandLine.arguments.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
            let bundle = Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent().path }
            for folder in bundle + folders where FileManager.default.isExecutableFile(atPath: "\(folder)/martlet") {
                return "\(folder)/martlet"
            }
            throw Failure(description: "no martlet executable beside the tests; build with --build-tests")
        }
    }

    /// Starts a node and returns once both ports are open.
    ///
    /// - Parameters:
    ///   - redisURL: nil starts the node's own, embedded Redis.
    ///   - environment: further `MARTLET_…` variables, which win over the ones set here.
    ///   - configuration: the path of a YAML file.
    package static func start(
        nodeId: String, redisURL: String?, environment: [String: String] = [:], configuration: String? = nil
    ) async throws -> NodeProcess {
        var variables = [
            "MARTLET_NODE_ID": nodeId, "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0",
            "MARTLET_API_KEY": apiKey, "MARTLET_AUTH_MODE": "none", "MARTLET_LOG_LEVEL": "debug",
        ]
        variables["MARTLET_REDIS_URL"] = redisURL
        variables.merge(environment) { $1 }
        let (pid, output) = try spawn(
            ["serve"] + (configuration.map { ["--config", $0] } ?? []), environment: variables)
        let child = try WardedChild(pid)
        guard let clientPort = await output.port(after: "client port open"),
            let apiPort = await output.port(after: "api port open")
        else { throw Failure(description: "the node ended at its start:\n\(output.text)") }
        return NodeProcess(child, output, clientPort: clientPort, apiPort: apiPort)
    }

    /// Runs a command of the executable to its end; answers its exit status and all it printed.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String) {
        let (pid, output) = try spawn(arguments, environment: environment)
        await output.ended()
        return (Child.exitStatus(of: pid), output.text)
    }

    /// Runs a command of the executable until it prints this, then `body`, and kills it.
    package static func run<Value>(
        _ arguments: [String], until text: String, _ body: () async throws -> Value
    ) async throws -> Value {
        let (pid, output) = try spawn(arguments, environment: [:])
        let child = try WardedChild(pid)
        defer { child.end() }
        guard await output.line(with: text) != nil else {
            throw Failure(description: "the command ended and never said \(text):\n\(output.text)")
        }
        return try await body()
    }

    private init(_ child: WardedChild, _ output: ProcessOutput, clientPort: Int, apiPort: Int) {
        self.child = child
        self.output = output
        self.clientPort = clientPort
        self.apiPort = apiPort
    }

    package var pid: pid_t { child.pid }

    /// What clients connect to.
    package var clientURL: String { "ws://127.0.0.1:\(clientPort)/ws" }

    /// The same of a node whose certificate is for `localhost`.
    package var securedURL: String { "wss://localhost:\(clientPort)/ws" }

    /// All that it has logged so far.
    package var log: String { output.text }

    /// Returns when the node has logged a line that holds this text; throws where it ends before.
    package func logged(_ text: String) async throws {
        guard await output.line(with: text) != nil else {
            throw Failure(description: "the node ended without saying \(text):\n\(output.text)")
        }
    }

    package func terminate() { kill(pid, SIGTERM) }
    package func pause() { kill(pid, SIGSTOP) }
    package func resume() { kill(pid, SIGCONT) }

    package func kill9() { child.end() }

    /// Waits until it has ended by itself; answers its exit status as a shell counts it.
    package func exitStatus() async -> Int32 {
        await output.ended()
        return child.exitStatus() ?? -1
    }

    /// One call of the REST interface, with the key.
    package func request(
        _ method: String, _ path: String, body: String? = nil, headers: [(String, String)] = []
    ) async throws -> HTTPAnswer {
        var headers = headers + [("Authorization", "Bearer \(NodeProcess.apiKey)")]
        if body != nil { headers.append(("Content-Type", "application/json")) }
        return try await HTTPAnswer.fetch(port: apiPort, method: method, path: path, body: body, headers: headers)
    }

    private static func spawn(
        _ arguments: [String], environment: [String: String]
    ) throws -> (pid: pid_t, output: ProcessOutput) {
        let output = try ProcessOutput()
        let variables = environment.map { "\($0.key)=\($0.value)" }
        // `env` sets the variables and the shell joins the outputs; both become the node by exec.
        let pid = try Child.spawn(
            ["env"] + variables + ["sh", "-c", "exec \"$0\" \"$@\" 2>&1", try executable] + arguments,
            output: output.writeEnd)
        output.begin()
        return (pid, output)
    }
}
