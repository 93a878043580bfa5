import Glibc

/// Finds whose CPU is to be read: the process behind a port, and the Redis that it started.
package enum ProcessFinder {
    /// The process that listens on this port of this address (or of all addresses); nil where it is not to be seen.
    package static func listener(at target: LoopbackTarget) -> Int32? {
        guard let table = ProcFile.text("/proc/net/tcp"), let inode = inode(in: table, of: target) else { return nil }
        let wanted = "socket:[\(inode)]"
        for name in ProcFile.names(in: "/proc") {
            guard let pid = Int32(name) else { continue }
            let folder = "/proc/\(pid)/fd"
            for descriptor in ProcFile.names(in: folder) where link("\(folder)/\(descriptor)") == wanted { return pid }
        }
        return nil
    }

    /// A `redis-server` among the descendants of a process: the embedded one of a node.
    package static func redis(under ancestor: Int32) -> Int32? {
        for name in ProcFile.names(in: "/proc") {
            guard let pid = Int32(name), let stat = ProcFile.text("/proc/\(pid)/stat"),
                stat.contains("(redis-server)")
            else { continue }
            var next = parent(stat: stat)
            while let current = next, current > 1 {
                if current == ancestor { return pid }
                next = ProcFile.text("/proc/\(current)/stat").flatMap(parent)
            }
        }
        return nil
    }

    /// The inode of the listening socket in the text of `/proc/net/tcp`: address and port in hexadecimal, the address
    /// with its bytes reversed, state `0A`.
    static func inode(in table: String, of target: LoopbackTarget) -> String? {
        let port = hex(UInt32(target.port), digits: 4)
        let places = ["\(hex(target.address.byteSwapped, digits: 8)):\(port)", "00000000:\(port)"]
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 9, fields[3] == "0A", places.contains(String(fields[1])) { return String(fields[9]) }
        }
        return nil
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func parent(stat: String) -> Int32? {
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[nameEnd...].split(separator: " ")
        return fields.count > 2 ? Int32(fields[2]) : nil
    }

    private static func link(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = bytes.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink(path, $0, text.count) } ?? 0
            }
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
