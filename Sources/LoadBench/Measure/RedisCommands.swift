import Glibc

/// The number of calls of each command since a Redis began, as `INFO commandstats` counts; those in scripts too.
package struct RedisCommands: Equatable {
    private(set) var calls: [String: Int] = [:]

    /// Lines like `cmdstat_evalsha:calls=7,usec=92,usec_per_call=13.14,rejected_calls=0,failed_calls=0`.
    package init(info: String) {
        for line in info.split(whereSeparator: \.isNewline) {
            guard line.hasPrefix("cmdstat_"), let colon = line.firstIndex(of: ":"),
                let field = line[colon...].dropFirst().split(separator: ",").first, field.hasPrefix("calls="),
                let count = Int(field.dropFirst(6))
            else { continue }
            calls[String(line[..<colon].dropFirst(8))] = count
        }
    }

    /// Asks the Redis of this process, at the address that its title shows; nil where it shows none, wants a password or
    /// speaks TLS only.
    init?(of pid: Int32) {
        guard let title = ProcFile.text("/proc/\(pid)/cmdline"), let address = RedisCommands.address(inTitle: title),
            let info = RedisCommands.ask(address)
        else { return nil }
        self.init(info: info)
    }

    /// What was called between an earlier reading and this one, the reading itself left out.
    package func since(_ earlier: RedisCommands) -> [String: Int] {
        calls.reduce(into: [:]) { rest, entry in
            let more = entry.value - (earlier.calls[entry.key] ?? 0)
            if more > 0, entry.key != "info" { rest[entry.key] = more }
        }
    }

    package enum Address: Equatable {
        case unix(String)
        case port(UInt16)
    }

    /// Reads `redis-server unixsocket:/path` and `redis-server 127.0.0.1:6379`, as Redis names its process.
    package static func address(inTitle title: String) -> Address? {
        let words = title.split { $0 == " " || $0 == "\0" }
        guard words.count > 1 else { return nil }
        if words[1].hasPrefix("unixsocket:") { return .unix(String(words[1].dropFirst(11))) }
        guard let colon = words[1].lastIndex(of: ":"), let port = UInt16(words[1][colon...].dropFirst()), port > 0
        else { return nil }
        return .port(port)
    }

    private static func ask(_ address: Address) -> String? {
        guard let descriptor = connected(to: address) else { return nil }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let request = Array("INFO commandstats\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        var reply: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            reply.append(contentsOf: chunk[..<count])
            // A bulk string: $, its length, a line's end, that many bytes, a line's end.
            guard reply.first == UInt8(ascii: "$") else { return nil }
            guard let end = reply.firstIndex(of: UInt8(ascii: "\n")),
                let length = Int(String(decoding: reply[1..<(end - 1)], as: UTF8.self))
            else { continue }
            if reply.count >= end + 1 + length + 2 {
                return String(decoding: reply[(end + 1)..<(end + 1 + length)], as: UTF8.self)
            }
        }
    }

    private static func connected(to address: Address) -> Int32? {
        switch address {
        case .unix(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else { return nil }
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
            return connected(&name, family: AF_UNIX)
        case .port(let port):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return connected(&name, family: AF_INET)
        }
    }

    private static func connected<Name>(_ name: inout Name, family: Int32) -> Int32? {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let result = withUnsafeBytes(of: &name) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                connect(descriptor, $0.baseAddress, socklen_t(MemoryLayout<Name>.size))
            }
        }
        if result == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}

extension BenchReport {
    /// The commands that Redis carried out between two readings, for each of what was done: those seen at least once in
    /// twenty, the most frequent first.
    mutating func add(redisCallsFrom first: Meters.Reading, to last: Meters.Reading, count: Int, of what: String) {
        guard let before = first.redisCommands, let after = last.redisCommands else { return }
        let more = after.since(before)
        let each = 1 / Double(max(1, count))
        add("redis commands per \(what)", Double(more.values.reduce(0, +)) * each)
        for (name, calls) in more.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) })
        where Double(calls) * each >= 0.05 {
            add("  \(name)", Double(calls) * each)
        }
    }
}
