import Foundation
import Glibc

/// A process with pipes to its standard input and output that ends when its input is closed: mostly one of this same program.
package final class ChildProcess {
    let pid: Int32
    /// Reading end of its standard output; whoever adopts it closes it.
    let output: Int32
    private var input: Int32

    /// - Parameters:
    ///   - command: the program and its arguments.
    ///   - environment: each as `NAME=value`; nil for this process's own.
    package init(_ command: [String], environment: [String]? = nil) throws(BenchFailure) {
        let (childInput, input) = try ChildProcess.pipe()
        let (output, childOutput) = try ChildProcess.pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, childInput, 0)
        posix_spawn_file_actions_adddup2(&actions, childOutput, 1)
        // Threads of Dispatch have signals blocked, and a child begins with what its thread has: a shell would never hear that
        // what it has started is gone.
        var (attributes, signals) = (posix_spawnattr_t(), sigset_t())
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let (arguments, variables) = (CStrings(command), environment.map { CStrings($0) })
        var pid: pid_t = 0
        let failure = posix_spawn(
            &pid, command[0], &actions, &attributes, arguments.pointers, variables?.pointers ?? environ)
        close(childInput)
        close(childOutput)
        guard failure == 0 else {
            close(input)
            close(output)
            throw BenchFailure("\(command[0]) cannot be started: \(String(cString: strerror(failure)))")
        }
        self.pid = pid
        self.input = input
        self.output = output
    }

    deinit {
        end()
    }

    /// Whether it goes on.
    package var isRunning: Bool {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == 0
    }

    func send(_ order: Order) throws {
        var line = try JSONEncoder().encode(order)
        line.append(UInt8(ascii: "\n"))
        try FileHandle(fileDescriptor: input, closeOnDealloc: false).write(contentsOf: line)
    }

    /// Reads its first line, for what it says before anything else.
    func firstLine() -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < 1000, read(output, &byte, 1) == 1, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Closes its input and waits until it has ended.
    package func end() {
        guard input >= 0 else { return }
        close(input)
        input = -1
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    private static func pipe() throws(BenchFailure) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw BenchFailure("pipe: \(String(cString: strerror(errno)))") }
        // A later child that kept an end open would hide that this side has closed it.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// Strings as C wants a list of them, as long as this lives.
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
