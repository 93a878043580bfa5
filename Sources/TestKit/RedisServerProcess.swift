import Foundation
import Synchronization

/// A real redis-server of one test: in its own folder, on a unix socket, ended with the test or with its process.
///
/// The methods that start and stop block for some milliseconds.
package final class RedisServerProcess: Sendable {
    package struct Options: Sendable {
        package var appendOnly = false
        package var appendFsync = "always"
        package var password: String?
        /// As Redis reads it, such as `8mb`.
        package var maxMemory: String?
        /// Also listens on a free port of 127.0.0.1.
        package var listensOnTCP = false
        /// Which that is; nil for one that is free.
        package var port: Int?
        /// Its clock can be stepped while it runs.
        package var hasSteppableClock = false
        package var engine = Engine.redis
        /// A server of a Cluster, which knows no other yet; `listensOnTCP` goes with it.
        package var isClusterServer = false
        /// Further arguments, such as `["--lazyfree-lazy-expire", "yes"]`.
        package var arguments: [String] = []

        package init() {}
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Child {
        var pid: pid_t
        /// A shell that ends the server when this process is gone, and the write end of the pipe that tells it.
        var wardenPID: pid_t
        var lifeline: Int32
        var isPaused = false
    }

    package let folder: String
    package let socketPath: String
    private let options: Options
    private let secret: Mutex<String?>
    private let child = Mutex<Child?>(nil)
    private let tcpPort: Mutex<Int?>
    private let clusterPort = Mutex<Int?>(nil)

    package init(_ options: Options = Options()) throws {
        self.options = options
        secret = Mutex(options.password)
        tcpPort = Mutex(options.port)
        folder = FileManager.default.temporaryDirectory.path + "/redis-test-\(UUID().uuidString.prefix(13))"
        socketPath = folder + "/s"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        do {
            try launch()
        } catch {
            try? FileManager.default.removeItem(atPath: folder)  // What could not be started leaves nothing behind.
            throw error
        }
    }

    deinit {
        stop()
    }

    /// The port on 127.0.0.1, where `listensOnTCP` is set; the same after a restart.
    package var port: Int? { tcpPort.withLock { $0 } }

    /// Where the other servers of its Cluster reach it, where `isClusterServer` is set; the same after a restart.
    package var busPort: Int? { clusterPort.withLock { $0 } }

    package var password: String? { secret.withLock { $0 } }

    /// How a client reaches it, password included, over the unix socket.
    package var url: String {
        "unix://\(socketPath)" + (password.map { "?password=\($0)" } ?? "")
    }

    package var isRunning: Bool { child.withLock { $0 != nil } }

    /// Whether it runs and is not held.
    package var isAwake: Bool { child.withLock { $0.map { !$0.isPaused } ?? false } }

    /// Ends it as a crash would, and waits until it is gone.
    package func kill9() {
        endChild()
    }

    /// Holds it with SIGSTOP: its sockets stay open and nothing answers.
    package func pause() {
        child.withLock { child in
            guard let pid = child?.pid else { return }
            kill(pid, SIGSTOP)
            child?.isPaused = true
        }
    }

    package func resume() {
        child.withLock { child in
            guard let pid = child?.pid else { return }
            kill(pid, SIGCONT)
            child?.isPaused = false
        }
    }

    /// Has its clock be off by so much from now on, where `hasSteppableClock` is set.
    package func setClock(off: Duration) throws { try SteppedClock.set(clockPath, off: off) }

    /// Beside its folder, which may be emptied.
    private var clockPath: String { folder + ".clock" }

    /// Asks another password of connections from now on; those there are stay.
    package func setPassword(_ password: String) async throws {
        try await ask("CONFIG", "SET", "requirepass", password)
        secret.withLock { $0 = password }
    }

    /// Starts it again, after a `kill9` or killing it now. Without its data it comes back empty, and where it is a server of
    /// a Cluster, as the same one.
    package func restart(keepingData: Bool) throws {
        endChild()
        if !keepingData {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name != "nodes.conf" {
                try FileManager.default.removeItem(atPath: folder + "/" + name)
            }
        }
        try launch()
    }

    /// Ends it and removes its folder.
    package func stop() {
        endChild()
        try? FileManager.default.removeItem(atPath: folder)  // A second stop finds no folder.
        try? FileManager.default.removeItem(atPath: clockPath)  // Most clocks are the machine's.
    }

    /// Runs redis-cli against it and returns what it printed, without the line's end.
    package func cli(_ arguments: String...) async throws -> String {
        var all = ["-s", socketPath, "--no-auth-warning"]
        if let password { all += ["-a", password] }
        return try await RedisServerProcess.cli(all + arguments)
    }

    /// Runs redis-cli with arguments that say where to, such as `-p` and a port.
    package static func cli(_ arguments: [String]) async throws -> String {
        let command = ["redis-cli"] + arguments
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try ChildProcess.output(of: command) })
            }
        }
    }

    // MARK: Starting and ending

    private func launch() throws {
        var attempts = options.listensOnTCP && port == nil ? 10 : 1
        while true {
            attempts -= 1
            do {
                try launchOnce()
                return
            } catch  where attempts > 0 {
                tcpPort.withLock { $0 = options.port }
                clusterPort.withLock { $0 = nil }
            }
        }
    }

    private func launchOnce() throws {
        var arguments = [
            try options.engine.program, "--dir", folder, "--unixsocket", socketPath, "--unixsocketperm", "700",
            "--save", "",
            "--daemonize", "no", "--logfile", folder + "/log", "--appendonly", options.appendOnly ? "yes" : "no",
            "--appendfsync", options.appendFsync,
        ]
        let port = options.listensOnTCP ? try self.port ?? ChildProcess.freePort() : 0
        arguments += ["--port", "\(port)", "--bind", "127.0.0.1"]
        if options.isClusterServer {
            let busPort = try self.busPort ?? ChildProcess.freePort()
            clusterPort.withLock { $0 = busPort }
            arguments += ["--cluster-enabled", "yes", "--cluster-port", "\(busPort)"]
            if let password { arguments += ["--masterauth", password] }
        }
        if let password { arguments += ["--requirepass", password] }
        if let maxMemory = options.maxMemory { arguments += ["--maxmemory", maxMemory] }
        arguments += options.arguments
        if options.hasSteppableClock {
            if !FileManager.default.fileExists(atPath: clockPath) { try setClock(off: .zero) }
            let environment = try SteppedClock.environment(readFrom: clockPath)
            arguments = ["env"] + environment.map { "\($0.key)=\($0.value)" } + arguments
        }
        let pid: pid_t
        do {
            pid = try ChildProcess.spawn(arguments)
        } catch ChildProcess.Failure.notFound {
            throw Failure(description: "redis-server is not installed: apt-get install redis-server")
        }
        let (warden, lifeline) = try ChildProcess.warden(over: pid)
        child.withLock { $0 = Child(pid: pid, wardenPID: warden, lifeline: lifeline) }
        if options.listensOnTCP { tcpPort.withLock { $0 = port } }
        try waitUntilReady(pid)
    }

    private func waitUntilReady(_ pid: pid_t) throws {
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            if ChildProcess.hasEnded(pid) { break }
            if UnixProbe.answers(path: socketPath) { return }
            poll(nil, 0, 5)
        }
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""  // Only to explain the failure.
        endChild()
        throw Failure(description: "\(options.engine)-server did not start: \(log.suffix(600))")
    }

    private func endChild() {
        let taken = child.withLock { child in
            defer { child = nil }
            return child
        }
        guard let taken else { return }
        ChildProcess.end(taken.pid)
        ChildProcess.end(taken.wardenPID)
        close(taken.lifeline)
        // A killed server leaves its socket behind, one that ended by itself does not.
        try? FileManager.default.removeItem(atPath: socketPath)
    }
}
