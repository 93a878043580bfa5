import Foundation
import ServiceLifecycle
import Synchronization

/// A private `redis-server` on a unix socket in a folder of its own, which keeps nothing and ends with this process.
///
/// It is started before anything that uses it, and put first into the service group, which stops it last. One thread
/// waits for its end; the lock guards the lifeline and those who wait.
package final class EmbeddedRedis: Service {
    /// The way in which it ended.
    package enum Ending: Hashable, Sendable {
        /// ``stop()`` was called.
        case stopped
        /// Nobody here asked for it: the exit status as a shell counts it (128 and the signal's number).
        case byItself(status: Int32)
    }

    private struct State {
        /// The end whose closing ends Redis; nil once closed.
        var lifeline: Int32?
        var ending: Ending?
        var waiting: [CheckedContinuation<Ending, Never>] = []
    }

    /// 0700, gone with Redis.
    package let folder: String
    package let socketPath: String
    /// The guarding shell; it leads its own session.
    package let guardianId: Int32
    private let state: Mutex<State>

    /// What the Redis driver connects to.
    package var url: String {
        "unix://" + socketPath.replacing("%", with: "%25").replacing("?", with: "%3F")
    }

    private init(folder: String, guardianId: Int32, lifeline: Int32) {
        self.folder = folder
        socketPath = "\(folder)/redis.sock"
        self.guardianId = guardianId
        state = Mutex(State(lifeline: lifeline))
    }

    /// Starts it and returns once it answers; from then on it lives until ``stop()``, or until this process ends.
    ///
    /// - Parameters:
    ///   - temporary: Where the folder is made; `/tmp` where this leaves no room for a socket's name.
    ///   - path: Where `redis-server` is looked for.
    ///   - timeout: How long it may take until it answers.
    package static func start(
        temporary: String = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp",
        path: String = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
        timeout: Duration = .seconds(10)
    ) async throws -> EmbeddedRedis {
        guard let program = Guardian.find("redis-server", in: path) else { throw EmbeddedRedisError.notFound }
        let (redis, log) = try spawn(program, temporary: temporary)
        return try await withCheckedThrowingContinuation { started in
            // Waiting for a child blocks a thread, so it gets one that is nobody else's.
            Thread.detachNewThread {
                started.resume(with: Result { try redis.awaitAnswer(for: timeout, log: log) }.map { redis })
                close(log)
                redis.reap()
            }
        }
    }

    /// Ends Redis, removes its folder, and returns when both are gone.
    package func stop() async {
        cutLifeline()
        _ = await waitUntilExit()
    }

    /// Returns when Redis has ended, for whatever reason; at once if it already has.
    @discardableResult
    package func waitUntilExit() async -> Ending {
        await withCheckedContinuation { continuation in
            let ending = state.withLock { state in
                if state.ending == nil { state.waiting.append(continuation) }
                return state.ending
            }
            if let ending { continuation.resume(returning: ending) }
        }
    }

    /// Returns when it was told to end and Redis is gone; throws if Redis ended by itself.
    package func run() async throws {
        let ending = await withTaskCancellationOrGracefulShutdownHandler {
            await waitUntilExit()
        } onCancelOrGracefulShutdown: {
            self.cutLifeline()
        }
        if case .byItself(let status) = ending {
            throw EmbeddedRedisError("the private Redis ended by itself (status \(status)): the node ends with it")
        }
    }

    private func cutLifeline() {
        state.withLock { state in
            if let lifeline = state.lifeline.take() { close(lifeline) }
        }
    }

    /// Starts the shell; answers the descriptor of Redis's log beside it, which outlives the folder.
    private static func spawn(
        _ program: String, temporary: String
    ) throws(EmbeddedRedisError) -> (redis: EmbeddedRedis, log: Int32) {
        let folder = try makeFolder(in: temporary)
        let log = open("\(folder)/redis.log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        var ends: [Int32] = [-1, -1]
        do throws(EmbeddedRedisError) {
            guard log >= 0 else { throw EmbeddedRedisError.failed("open", errno) }
            // Close-on-exec from the first moment, which a plain pipe is not: an end that leaked into another child
            // would keep Redis alive.
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                throw EmbeddedRedisError.failed("socketpair", errno)
            }
            defer { close(ends[0]) }
            let command = Guardian.redisCommand(program, folder: folder)
            let guardian = try Guardian.start(folder: folder, command: command, input: ends[0], output: log)
            return (EmbeddedRedis(folder: folder, guardianId: guardian, lifeline: ends[1]), log)
        } catch {
            for descriptor in [log, ends[1]] where descriptor >= 0 { close(descriptor) }
            removeFolder(folder)
            throw error
        }
    }

    /// What cannot be removed stays: nothing depends on it any more.
    private static func removeFolder(_ folder: String) {
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func makeFolder(in temporary: String) throws(EmbeddedRedisError) -> String {
        let name = "martlet-XXXXXX"
        let fits = "\(temporary)/\(name)/redis.sock".utf8.count <= RedisProbe.maxPathBytes
        var template = Array("\(fits ? temporary : "/tmp")/\(name)".utf8CString)
        guard mkdtemp(&template) != nil else { throw EmbeddedRedisError.failed("mkdtemp", errno) }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Asks until there is an answer; else ends what was started and throws Redis's own last words.
    private func awaitAnswer(for timeout: Duration, log: Int32) throws(EmbeddedRedisError) {
        let deadline = ContinuousClock.now + timeout
        while !RedisProbe.answers(at: socketPath, timeout: 500) {
            var info = siginfo_t()
            // WNOWAIT leaves the end for `reap` to take.
            let ended = waitid(P_PID, id_t(guardianId), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo != 0
            guard !ended, ContinuousClock.now < deadline else {
                let words = Self.lastLine(of: log)
                cutLifeline()
                throw EmbeddedRedisError(
                    "the private Redis \(ended ? "ended at its start" : "did not answer in time")\(words)")
            }
            usleep(10_000)
        }
    }

    /// The last line that Redis wrote, if it wrote any.
    private static func lastLine(of log: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let size = lseek(log, 0, SEEK_END)
        let count = pread(log, &buffer, buffer.count, max(0, size - buffer.count))
        let lines = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")
        return lines.last.map { ": \($0)" } ?? ""
    }

    /// Waits for the shell's end, which is Redis's, and tells everyone; blocks its thread for as long as Redis lives.
    private func reap() {
        var status: Int32 = 0
        while waitpid(guardianId, &status, 0) < 0, errno == EINTR {}
        // The shell has removed it, unless someone killed the shell.
        Self.removeFolder(folder)
        let signal = status & 0x7f
        let code = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        let (ending, waiting) = state.withLock { state in
            let ending: Ending = state.lifeline == nil ? .stopped : .byItself(status: code)
            if let lifeline = state.lifeline.take() { close(lifeline) }
            state.ending = ending
            let waiting = state.waiting
            state.waiting = []
            return (ending, waiting)
        }
        for continuation in waiting { continuation.resume(returning: ending) }
    }
}
