import Foundation

/// A real `martlet archive` process on a port of its own choosing; dies with the test process.
package final class ArchiveProcess: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    package let port: Int
    private let child: WardedChild
    private let output: ProcessOutput

    /// Starts a worker and returns once its port is open; throws where it ends before.
    ///
    /// - Parameters:
    ///   - configuration: the path of a YAML file, the nodes' own.
    ///   - environment: further `MARTLET_…` variables, which win over the ones set here.
    package static func start(
        redisURL: String, databaseURL: String, configuration: String? = nil, environment: [String: String] = [:]
    ) async throws -> ArchiveProcess {
        let variables = [
            "MARTLET_REDIS_URL": redisURL, "MARTLET_ARCHIVE_URL": databaseURL, "MARTLET_ARCHIVE_PORT": "0",
            "MARTLET_LOG_LEVEL": "debug",
        ].merging(environment) { $1 }
        let output = try ProcessOutput()
        let command = ["archive"] + (configuration.map { ["--config", $0] } ?? [])
        let pid = try Child.spawn(
            ["env"] + variables.map { "\($0.key)=\($0.value)" }
                + ["sh", "-c", "exec \"$0\" \"$@\" 2>&1", try NodeProcess.executable] + command,
            output: output.writeEnd)
        output.begin()
        let child = try WardedChild(pid)
        guard let port = await output.port(after: "archive port open") else {
            throw NodeProcess.Failure(description: "the worker ended at its start:\n\(output.text)")
        }
        return ArchiveProcess(child, output, port: port)
    }

    private init(_ child: WardedChild, _ output: ProcessOutput, port: Int) {
        self.child = child
        self.output = output
        self.port = port
    }

    package var pid: pid_t { child.pid }

    /// All that it has logged so far.
    package var log: String { output.text }

    package func terminate() { kill(pid, SIGTERM) }
    package func kill9() { child.end() }

    /// Waits until it has ended by itself; answers its exit status as a shell counts it.
    package func exitStatus() async -> Int32 {
        await output.ended()
        return child.exitStatus() ?? -1
    }

    package func get(_ path: String) async throws -> HTTPAnswer {
        try await HTTPAnswer.fetch(port: port, path: path)
    }

    /// One number of its `/metrics`; 0 where it has none of that name.
    package func metric(_ name: String) async throws -> Double {
        let lines = try await get("/metrics").body.split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) } ?? 0
    }
}
