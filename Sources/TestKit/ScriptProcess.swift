import Foundation

/// A program of another language, run by its interpreter; dies with the test process.
package final class ScriptProcess: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    private let child: WardedChild
    private let output: ProcessOutput

    /// Starts Debian's own Python, which knows the packages that apt installs, with this text as its program.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program in `sys.argv`.
    ///   - environment: Variables beside those of this process.
    package init(python text: String, arguments: [String] = [], environment: [String: String] = [:]) throws {
        output = try ProcessOutput()
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let pid = try Child.spawn(
            ["env"] + variables
                + ["sh", "-c", "exec \"$0\" \"$@\" 2>&1", "/usr/bin/python3", "-uc", text] + arguments,
            output: output.writeEnd)
        output.begin()
        child = try WardedChild(pid)
    }

    /// All that it has printed so far, errors included.
    package var text: String { output.text }

    /// The lines that it has printed so far.
    package var lines: [Substring] { text.split(separator: "\n") }

    /// All that it printed, once it has ended by itself.
    package func ended() async -> String {
        await output.ended()
        return output.text
    }

    package func kill9() { child.end() }
}
