import Glibc

/// One small HTTP/1.0 request over a socket, for a check that runs every few seconds and should cost nothing.
enum HealthProbe {
    struct Target: CustomStringConvertible {
        var host: String
        var port: Int
        var path: String
        var isSecure: Bool

        init(host: String, port: Int, path: String, isSecure: Bool) {
            self.host = host
            self.port = port
            self.path = path
            self.isSecure = isSecure
        }

        /// Reads `http://host[:port][/path]` and the same with `https`; nil for anything else.
        init?(url: String) {
            let schemes = [("http://", false), ("https://", true)]
            guard let (scheme, isSecure) = schemes.first(where: { url.lowercased().hasPrefix($0.0) }) else {
                return nil
            }
            let rest = url.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" }
            let path = rest.dropFirst(authority.count)
            var host = authority
            var port = isSecure ? 443 : 80
            let end = authority.first == "[" ? authority.firstIndex(of: "]") : authority.startIndex
            guard let end else { return nil }
            if let colon = authority[end...].firstIndex(of: ":") {
                guard let number = UInt16(authority[authority.index(after: colon)...]) else { return nil }
                port = Int(number)
                host = authority[..<colon]
            }
            let name = host.filter { $0 != "[" && $0 != "]" }
            guard !name.isEmpty, url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
            self.init(host: name, port: port, path: path.isEmpty ? "/healthz" : String(path), isSecure: isSecure)
        }

        var description: String { "http\(isSecure ? "s" : "")://\(authority)\(path)" }
        var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        /// Whether it is the key that is refused.
        var isOfKey = false
    }

    /// The status of a `GET`; `timeout` is in seconds, for connecting, sending and each read.
    static func status(of target: Target, timeout: Int) throws(Failure) -> Int {
        if target.isSecure { return try secureStatus(of: target, timeout: timeout) }
        let descriptor = try connect(to: target, timeout: timeout)
        defer { close(descriptor) }
        let request = Array("GET \(target.path) HTTP/1.0\r\nHost: \(target.authority)\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Failure(description: "does not take a request: \(reason())")
        }
        // The status line alone counts: `HTTP/1.1 200`.
        var line = [UInt8](repeating: 0, count: 12)
        guard recv(descriptor, &line, line.count, Int32(MSG_WAITALL)) == line.count else {
            throw Failure(description: "does not answer")
        }
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("HTTP/1."), let status = Int(text.suffix(3)) else {
            throw Failure(description: "does not answer in HTTP")
        }
        return status
    }

    /// Tries each address of the host in turn.
    private static func connect(to target: Target, timeout: Int) throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(target.host, String(target.port), &hints, &list) == 0 else {
            throw Failure(description: "names an unknown host")
        }
        defer { freeaddrinfo(list) }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        var next = list
        while let entry = next {
            let address = entry.pointee
            next = address.ai_next
            let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { continue }
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
            close(descriptor)
        }
        throw Failure(description: "cannot be reached: \(reason())")
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
