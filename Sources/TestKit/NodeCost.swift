import Foundation
import TestSupport

/// The resources that a process has used so far, as Linux counts them.
package struct ProcessUse: Sendable {
    /// Processor time of all threads, to a hundredth of a second.
    package var processor: Duration
    package var residentBytes: Int

    /// Of a process that runs; throws where there is none.
    package init(pid: pid_t) throws {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The name stands in parentheses and may hold blanks; utime and stime are the 14th and 15th field, rss the 24th.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 22, let user = Int64(fields[12]), let system = Int64(fields[13]),
            let pages = Int(fields[22])
        else { throw NeverHappened(description: "/proc/\(pid)/stat is not as expected") }
        processor = .milliseconds((user + system) * 1000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
        residentBytes = pages * sysconf(Int32(_SC_PAGESIZE))
    }
}

/// The resources that a Redis has used so far, as it says itself.
package struct RedisUse: Sendable {
    package var processor: Duration
    package var usedBytes: Int

    package init(_ redis: RedisServerProcess) async throws {
        let text = try await redis.cli("INFO")
        func number(_ name: String) -> Double {
            let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
            return line.flatMap { Double($0.dropFirst(name.count + 1)) } ?? 0
        }
        processor = .seconds(number("used_cpu_sys") + number("used_cpu_user"))
        usedBytes = Int(number("used_memory"))
    }
}

/// The memory that Linux holds for everybody's sockets.
package struct KernelUse: Sendable {
    /// Of TCP, in both directions.
    package var socketBytes: Int

    package init() throws {
        let text = try String(contentsOfFile: "/proc/net/sockstat", encoding: .utf8)
        let words = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("TCP:") }?.split(separator: " ") ?? []
        guard let name = words.firstIndex(of: "mem"), name + 1 < words.count, let pages = Int(words[name + 1]) else {
            throw NeverHappened(description: "/proc/net/sockstat is not as expected")
        }
        socketBytes = pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
