import Foundation
import GatewayNode
import Logging
import ServiceLifecycle
import Synchronization
import Testing

/// A Redis that is started by the test, stopped with it, and lies in a folder of the test's own.
private func withRedis(_ body: (EmbeddedRedis, Scratch) async throws -> Void) async throws {
    let scratch = try Scratch()
    let redis = try await EmbeddedRedis.start(temporary: scratch.path)
    do {
        try await body(redis, scratch)
        await redis.stop()
    } catch {
        await redis.stop()
        throw error
    }
}

/// What Redis answers to a command of plain words, as it stands on the wire.
private func ask(_ socket: String, _ command: String) async throws -> String {
    let connection = try Connection(to: socket)
    connection.say("\(command)\r\nQUIT\r\n")
    let answer = await connection.untilClosed()
    return answer.hasSuffix("+OK\r\n") ? String(answer.dropLast(4)) : answer
}

/// A connection to a Redis on a unix socket.
private struct Connection {
    private let descriptor: Int32

    init(to path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    func say(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// All that comes until the other side is closed, by itself or by the kernel; a thread of its own waits.
    func untilClosed() async -> String {
        await withCheckedContinuation { closed in
            Thread.detachNewThread {
                var answer: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4096)
                while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                    answer += buffer.prefix(count)
                }
                close(descriptor)
                closed.resume(returning: String(decoding: answer, as: UTF8.self))
            }
        }
    }
}

/// The fields of `/proc/<pid>/stat` after the name: state, parent, group, session.
private func stat(_ pid: Int32) throws -> [Substring] {
    let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    return try #require(text.split(separator: ")").last).split(separator: " ")
}

/// A service that asks Redis once more after it was told to end.
private final class LastCaller: Service {
    let running = AsyncStream<Void>.makeStream()
    private let socket: String
    private let answer = Mutex("")

    var lastAnswer: String { answer.withLock { $0 } }

    init(socket: String) {
        self.socket = socket
    }

    func run() async throws {
        running.continuation.yield()
        try await gracefulShutdown()
        let pong = try await ask(socket, "PING")
        answer.withLock { $0 = pong }
    }
}

@Suite("The private Redis", .timeLimit(.minutes(2)))
struct EmbeddedRedisTests {
    @Test func `answers on a unix socket in a folder nobody else may enter, and keeps nothing`() async throws {
        try await withRedis { redis, scratch in
            #expect(redis.url == "unix://\(redis.socketPath)" && redis.folder.hasPrefix(scratch.path))
            #expect(try await ask(redis.socketPath, "PING") == "+PONG\r\n")
            #expect(try await ask(redis.socketPath, "CONFIG GET save").hasSuffix("\r\n$0\r\n\r\n"))
            #expect(try await ask(redis.socketPath, "CONFIG GET appendonly").hasSuffix("\r\nno\r\n"))
            #expect(try await ask(redis.socketPath, "CONFIG GET maxmemory-policy").hasSuffix("\r\nnoeviction\r\n"))
            #expect(try await ask(redis.socketPath, "CONFIG GET port").hasSuffix("\r\n0\r\n"))
            let mode = try FileManager.default.attributesOfItem(atPath: redis.folder)[.posixPermissions] as? Int
            #expect(mode == 0o700)
        }
    }

    @Test func `is gone with its folder when it was stopped, however often that is said`() async throws {
        let scratch = try Scratch()
        let redis = try await EmbeddedRedis.start(temporary: scratch.path)
        await redis.stop()
        await redis.stop()
        #expect(await redis.waitUntilExit() == .stopped)
        #expect(!FileManager.default.fileExists(atPath: redis.folder))
        #expect(kill(redis.guardianId, 0) == -1)
    }

    @Test func `lives in a session of its own, which a terminal's Ctrl-C does not reach`() async throws {
        try await withRedis { redis, _ in
            let server = try await serverId(of: redis)
            #expect(try stat(redis.guardianId)[3] == "\(redis.guardianId)")
            #expect(try stat(server)[3] == "\(redis.guardianId)")
            #expect(getsid(0) != redis.guardianId)
        }
    }

    @Test func `runs as a batch process, which does not take the core from the node that woke it`() async throws {
        try await withRedis { redis, _ in
            let server = try await serverId(of: redis)
            // glibc shows `SCHED_BATCH` to GNU sources only.
            #expect(sched_getscheduler(server) == 3)
            #expect(sched_getscheduler(0) == SCHED_OTHER)
        }
    }

    @Test func `holds no copy of another's lifeline: each ends when its own is cut`() async throws {
        try await withRedis { first, _ in
            try await withRedis { second, _ in
                await first.stop()
                let answer = try await ask(second.socketPath, "PING")
                #expect(answer == "+PONG\r\n")
            }
        }
    }

    @Test func `is killed even while it is stopped by a signal`() async throws {
        let scratch = try Scratch()
        let redis = try await EmbeddedRedis.start(temporary: scratch.path)
        kill(try await serverId(of: redis), SIGSTOP)
        await redis.stop()
        #expect(!FileManager.default.fileExists(atPath: redis.folder))
    }

    @Test func `tells when it ends by itself, and its service throws`() async throws {
        try await withRedis { redis, _ in
            let run = Task { try await redis.run() }
            kill(try await serverId(of: redis), SIGKILL)
            #expect(await redis.waitUntilExit() == .byItself(status: 137))
            let error = await #expect(throws: EmbeddedRedisError.self) { try await run.value }
            #expect(error?.description == "the private Redis ended by itself (status 137): the node ends with it")
            #expect(!FileManager.default.fileExists(atPath: redis.folder))
        }
    }

    @Test func `does not outlive the shell that guards it`() async throws {
        try await withRedis { redis, _ in
            let connection = try Connection(to: redis.socketPath)
            kill(redis.guardianId, SIGKILL)
            #expect(await redis.waitUntilExit() == .byItself(status: 137))
            _ = await connection.untilClosed()
            #expect(!FileManager.default.fileExists(atPath: redis.folder))
        }
    }

    @Test func `is stopped last by a service group that is told to end`() async throws {
        let scratch = try Scratch()
        let redis = try await EmbeddedRedis.start(temporary: scratch.path)
        let user = LastCaller(socket: redis.socketPath)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [redis, user], logger: logger))
        async let run: Void = group.run()
        for await _ in user.running.stream { break }
        await group.triggerGracefulShutdown()
        try await run
        #expect(user.lastAnswer == "+PONG\r\n")
        #expect(await redis.waitUntilExit() == .stopped)
    }

    @Test func `is not started where there is none, and the error says what to do`() async throws {
        let scratch = try Scratch()
        let error = await #expect(throws: EmbeddedRedisError.self) {
            try await EmbeddedRedis.start(temporary: scratch.path, path: scratch.path)
        }
        #expect(
            error?.description
                == "redis-server was not found: install it (apt-get install redis-server) or name a Redis with MARTLET_REDIS_URL"
        )
    }

    @Test func `that fails at its start is refused with its own last words, and leaves nothing`() async throws {
        let scratch = try Scratch()
        let folder = "\(scratch.path)/bin"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try scratch.program("bin/redis-server", "#!/bin/sh\necho first; echo out of luck; exit 1\n")
        let error = await #expect(throws: EmbeddedRedisError.self) {
            try await EmbeddedRedis.start(temporary: scratch.path, path: folder)
        }
        #expect(error?.description == "the private Redis ended at its start: out of luck")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["bin"])
    }

    @Test func `that does not answer in time is ended`() async throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(atPath: "\(scratch.path)/bin", withIntermediateDirectories: true)
        try scratch.program("bin/redis-server", "#!/bin/sh\nexec sleep 1000\n")
        let error = await #expect(throws: EmbeddedRedisError.self) {
            try await EmbeddedRedis.start(
                temporary: scratch.path, path: "\(scratch.path)/bin", timeout: .milliseconds(50))
        }
        #expect(error?.description == "the private Redis did not answer in time")
    }

    @Test func `lies in /tmp where the temporary folder's name leaves no room for a socket's`() async throws {
        let scratch = try Scratch()
        let long = "\(scratch.path)/\(String(repeating: "x", count: 60))"
        try FileManager.default.createDirectory(atPath: long, withIntermediateDirectories: true)
        let redis = try await EmbeddedRedis.start(temporary: long)
        #expect(redis.folder.hasPrefix("/tmp/martlet-"))
        await redis.stop()
    }

    @Test func `goes with a node that is killed with -9: the kernel cuts the lifeline`() async throws {
        let scratch = try Scratch()
        let folder = "\(scratch.path)/redis"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        // A stand-in for the node: the only process that holds the other end of the guardian's input.
        let node = process("sleep", ["1000"])
        node.standardOutput = FileHandle(fileDescriptor: ends[1], closeOnDealloc: false)
        try node.run()
        let silence = open("/dev/null", O_WRONLY | O_CLOEXEC)
        let program = try #require(Guardian.find("redis-server", in: searchPath))
        let guardian = try Guardian.start(
            folder: folder, command: Guardian.redisCommand(program, folder: folder), input: ends[0], output: silence)
        (ends + [silence]).forEach { close($0) }
        let probe = "\(folder)/redis.sock"
        while (try? await ask(probe, "PING")) == nil { await Task.yield() }
        kill(node.processIdentifier, SIGKILL)
        let status = await ending(of: guardian)
        #expect(status == 137 << 8)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }
}

private let searchPath = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"

/// How a child ended, as `waitpid` puts it; a thread of its own waits.
private func ending(of child: Int32) async -> Int32 {
    await withCheckedContinuation { ended in
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0, errno == EINTR {}
            ended.resume(returning: status)
        }
    }
}

/// A process found in the search path, that says nothing.
private func process(_ name: String, _ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    process.standardOutput = FileHandle.nullDevice
    return process
}

extension Scratch {
    /// A script that can be run.
    ///
    /// Another process writes it: a child of another test that starts meanwhile would hold a file open that this one
    /// writes, and the kernel runs none that is open for writing.
    fileprivate func program(_ name: String, _ text: String) throws {
        let writer = process(
            "sh", ["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh", text, "\(path)/\(name)"])
        try writer.run()
        writer.waitUntilExit()
        try #require(writer.terminationStatus == 0)
    }
}

/// The process behind a private Redis.
private func serverId(of redis: EmbeddedRedis) async throws -> Int32 {
    let info = try await ask(redis.socketPath, "INFO server")
    let line = try #require(info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("process_id:") })
    return try #require(Int32(line.dropFirst("process_id:".count)))
}
