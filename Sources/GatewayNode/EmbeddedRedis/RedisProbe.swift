import Glibc

/// Asks over a unix socket whether a Redis answers.
enum RedisProbe {
    /// What a socket's path may be on every system (104 bytes with the closing zero; Linux alone has 108).
    static let maxPathBytes = 103

    /// Whether a `PING` gets its `PONG` within `timeout` milliseconds; blocks for as long at most.
    static func answers(at path: String, timeout: Int) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: timeout / 1000, tv_usec: timeout % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard var address = address(of: path) else { return false }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let ping = Array("PING\r\n".utf8)
        guard connected == 0, send(descriptor, ping, ping.count, Int32(MSG_NOSIGNAL)) == ping.count
        else { return false }
        var answer = [UInt8](repeating: 0, count: 7)
        let count = recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
        return count == answer.count && answer.elementsEqual("+PONG\r\n".utf8)
    }

    private static func address(of path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= maxPathBytes else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }
}
