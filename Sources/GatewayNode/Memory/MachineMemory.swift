import Foundation

/// The memory of this machine, and how much of it this process has.
enum MachineMemory {
    /// What the process may use: the machine's, or less where a control group says so.
    static var available: Int {
        let machine = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap(number)
        return limits.filter { $0 > 0 }.reduce(machine, min)
    }

    /// Bytes in memory at this moment; nil where the system has no `/proc` (proc(5), the second number of `statm`).
    static var resident: Int? {
        // Where there is no such file nothing is known.
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? Int(fields[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) } : nil
    }

    /// Gives back to the system what the allocator keeps free; only the GNU library has a call for it.
    static func trim() {
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        typealias Trim = @convention(c) (Int) -> CInt
        _ = unsafeBitCast(symbol, to: Trim.self)(0)
    }

    /// `max` and what is no number are no limit.
    private static func number(in file: String) -> Int? {
        // Most machines have one of the files or none.
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }
}

extension Settings {
    /// Of a machine of less than 256 MiB there is no quarter to speak of.
    private static let leastBudget = 64 << 20

    /// `client.memoryBudget`, or what it stands for.
    var memoryLimit: Int {
        memoryBudget > 0 ? memoryBudget : max(Settings.leastBudget, MachineMemory.available / 4)
    }
}
