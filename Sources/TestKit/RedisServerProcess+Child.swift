import Foundation

private let streamSocket = Int32(SOCK_STREAM.rawValue)

extension RedisServerProcess {
    /// Child processes with posix_spawn, whose ends are waited for by their id.
    enum ChildProcess {
        enum Failure: Error {
            case notFound(String)
            case failed(String)
        }

        private typealias CloseFrom =
            @convention(c) @Sendable (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

        /// glibc's, from 2.34 on, which its module does not show.
        private static let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
            unsafeBitCast($0, to: CloseFrom.self)
        }

        /// Starts a program found in PATH, without standard input and output unless given, and with nothing else of
        /// ours that is open: a connection that a test closes would live on in the child, unseen by the other side.
        static func spawn(_ arguments: [String], input: Int32? = nil, output: Int32? = nil) throws -> pid_t {
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            for (descriptor, given, mode) in [(Int32(0), input, O_RDONLY), (1, output, O_WRONLY)] {
                if let given {
                    posix_spawn_file_actions_adddup2(&actions, given, descriptor)
                } else {
                    posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", mode, 0)
                }
            }
            if let closeFrom = ChildProcess.closeFrom { _ = closeFrom(&actions, 3) }
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            var none = sigset_t()
            sigemptyset(&none)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
            var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
            defer { for pointer in pointers { free(pointer) } }
            pointers.append(nil)
            var pid: pid_t = 0
            let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, pointers, environ)
            if code == ENOENT { throw Failure.notFound(arguments[0]) }
            guard code == 0 else { throw Failure.failed("\(arguments[0]): \(String(cString: strerror(code)))") }
            return pid
        }

        /// A shell that kills the process when this one is gone, however it ends; closing the descriptor tells it so too.
        static func warden(over pid: pid_t) throws -> (pid: pid_t, lifeline: Int32) {
            let (readEnd, writeEnd) = try pipeWithoutInheritance()
            defer { close(readEnd) }
            let warden = try spawn(["sh", "-c", "read gone; kill -9 \(pid)"], input: readEnd)
            return (warden, writeEnd)
        }

        /// Kills it and waits until it is gone.
        static func end(_ pid: pid_t) {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
        }

        /// Waits until it has ended by itself; answers its exit status as a shell counts it.
        static func exitStatus(of pid: pid_t) -> Int32 {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
            let signal = status & 0x7f
            return signal == 0 ? (status >> 8) & 0xff : 128 + signal
        }

        /// Whether it has ended by itself; its status is left for `end`.
        static func hasEnded(_ pid: pid_t) -> Bool {
            var info = siginfo_t()
            return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == SIGCHLD
        }

        /// What a program prints, without the last line's end; throws where it exits with another status than 0. Blocks.
        static func output(of arguments: [String]) throws -> String {
            let (readEnd, writeEnd) = try pipeWithoutInheritance()
            defer { close(readEnd) }
            let pid: pid_t
            do {
                defer { close(writeEnd) }
                pid = try spawn(arguments, output: writeEnd)
            }
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(readEnd, &chunk, chunk.count)
                if count > 0 {
                    bytes += chunk[..<count]
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
            var text = String(decoding: bytes, as: UTF8.self)
            if text.hasSuffix("\n") { text.removeLast() }
            guard status == 0 else { throw Failure.failed("\(arguments[0]) ended with \(status): \(text)") }
            return text
        }

        /// A port of 127.0.0.1 that was free just now.
        package static func freePort() throws -> Int {
            let descriptor = socket(AF_INET, streamSocket, 0)
            guard descriptor >= 0 else { throw Failure.failed("no socket") }
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
                }
            }
            guard code == 0 else { throw Failure.failed("no free port") }
            return Int(UInt16(bigEndian: address.sin_port))
        }

        /// Both ends are closed in children from the first moment on, which pipe(2) cannot promise.
        private static func pipeWithoutInheritance() throws -> (readEnd: Int32, writeEnd: Int32) {
            var ends: [Int32] = [-1, -1]
            let type = streamSocket | Int32(SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure.failed("no pair of sockets") }
            return (ends[0], ends[1])
        }
    }

    /// Asks a Redis on a unix socket whether it is there, blocking.
    enum UnixProbe {
        /// True once it answers a PING with anything but that it is still loading.
        static func answers(path: String) -> Bool {
            guard let descriptor = connection(to: path) else { return false }
            defer { close(descriptor) }
            guard send(descriptor, "PING\r\n", 6, Int32(MSG_NOSIGNAL)) == 6 else { return false }
            var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&state, 1, 1000) == 1 else { return false }
            var reply = [UInt8](repeating: 0, count: 64)
            let count = recv(descriptor, &reply, reply.count, 0)
            guard count > 0 else { return false }
            let text = String(decoding: reply[..<count], as: UTF8.self)
            return text.hasPrefix("+PONG") || text.hasPrefix("-NOAUTH")
        }

        /// A descriptor that the caller closes; nil where nobody listens.
        static func connection(to path: String) -> Int32? {
            let descriptor = socket(AF_UNIX, streamSocket | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return nil }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
                close(descriptor)
                return nil
            }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
            }
            guard code == 0 else {
                close(descriptor)
                return nil
            }
            return descriptor
        }
    }
}
