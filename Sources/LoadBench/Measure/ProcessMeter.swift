import Glibc

/// The resources that a process has used so far, read from `/proc`.
package struct ProcessUse: Sendable, Equatable {
    /// User and system time of all its threads, those that ended too; steps of a hundredth of a second.
    package var cpuSeconds: Double
    /// Resident memory.
    package var residentBytes: Int

    static func + (one: ProcessUse, other: ProcessUse) -> ProcessUse {
        ProcessUse(
            cpuSeconds: one.cpuSeconds + other.cpuSeconds, residentBytes: one.residentBytes + other.residentBytes)
    }
}

/// Reads one process's use of CPU and memory.
package struct ProcessMeter: Sendable {
    package let pid: Int32

    package init(pid: Int32) {
        self.pid = pid
    }

    /// - Throws: when there is no such process any more.
    package func read() throws(BenchFailure) -> ProcessUse {
        guard let stat = ProcFile.text("/proc/\(pid)/stat"), let cpu = ProcessMeter.cpuSeconds(stat: stat),
            let status = ProcFile.text("/proc/\(pid)/status")
        else {
            throw BenchFailure("process \(pid) cannot be read: it ended, or belongs to someone else")
        }
        return ProcessUse(cpuSeconds: cpu, residentBytes: ProcessMeter.residentBytes(status: status))
    }

    /// `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat` (proc(5)); the name before them may hold anything.
    static func cpuSeconds(stat: String) -> Double? {
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[nameEnd...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// `VmRSS` of `/proc/PID/status`, 0 where it has none (kernel threads).
    static func residentBytes(status: String) -> Int {
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return (Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0) * 1024
        }
        return 0
    }

    /// What this process itself has used, in microseconds' steps.
    static func ownCPUSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}

/// Small files of the kernel.
enum ProcFile {
    /// The whole text; nil where it cannot be read.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names in a folder; none where it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }
}
