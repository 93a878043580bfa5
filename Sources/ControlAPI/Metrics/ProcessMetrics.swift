#if canImport(Glibc)
    import Glibc
#endif

/// The metrics of this process, under the names that Prometheus's own client libraries use.
enum ProcessMetrics {
    /// In the format of `PrometheusText`; empty where the system has no `/proc`.
    static func text() -> String {
        #if canImport(Glibc)
            var usage = rusage()
            var text = ""
            if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
                let seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
                text += line("process_cpu_seconds_total", "counter", "\(seconds)")
            }
            text += line("process_start_time_seconds", "gauge", "\(startTime)")
            if let pages = residentPages() {
                text += line("process_resident_memory_bytes", "gauge", "\(pages * sysconf(Int32(_SC_PAGESIZE)))")
            }
            if let count = openDescriptors() { text += line("process_open_fds", "gauge", "\(count)") }
            var limit = rlimit()
            if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
                text += line("process_max_fds", "gauge", "\(limit.rlim_cur)")
            }
            return text
        #else
            return ""
        #endif
    }

    /// Takes down when the process began; at its start, once.
    static func begin() {
        #if canImport(Glibc)
            _ = startTime
        #endif
    }

    #if canImport(Glibc)
        private static func line(_ name: String, _ type: String, _ value: String) -> String {
            PrometheusText.head(of: name, type) + "\(name) \(value)\n"
        }

        /// When the process began to count.
        private static let startTime: Double = {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            return Double(now.tv_sec) + (Double(now.tv_nsec) / 1e6).rounded() / 1000
        }()

        private static func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1e6
        }

        /// The second number of `/proc/self/statm` (proc(5)).
        private static func residentPages() -> Int? {
            guard let file = fopen("/proc/self/statm", "r") else { return nil }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 128)
            guard fgets(&line, Int32(line.count), file) != nil else { return nil }
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let fields = text.split(separator: " ")
            return fields.count > 1 ? Int(fields[1]) : nil
        }

        /// One of them is the directory that is being read.
        private static func openDescriptors() -> Int? {
            guard let directory = opendir("/proc/self/fd") else { return nil }
            defer { closedir(directory) }
            var count = 0
            while readdir(directory) != nil { count += 1 }
            return count - 3
        }
    #endif
}
