import Foundation

/// A program of this machine, such as a load balancer, that writes what it says into a file; dies with the test process.
package final class ProgramProcess: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    private let child: WardedChild
    private let file: String

    /// - Parameters:
    ///   - arguments: The program, found in PATH or where Debian keeps servers, and what it is given.
    ///   - environment: Variables beside those of this process.
    ///   - file: Where its output goes; a program that opens `/dev/stdout` anew finds a file there and not a socket.
    package init(_ arguments: [String], environment: [String: String] = [:], file: String) throws {
        self.file = file
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let shell = "PATH=$PATH:/usr/sbin; exec \"$@\" >\"$0\" 2>&1"
        child = try WardedChild(Child.spawn(["env"] + variables + ["sh", "-c", shell, file] + arguments))
    }

    /// All that it has said so far.
    package var log: String {
        // What was never opened says nothing.
        (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    }

    package var pid: pid_t { child.pid }

    package func kill9() { child.end() }
}
