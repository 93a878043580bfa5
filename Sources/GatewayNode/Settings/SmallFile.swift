import GatewayCore
import Glibc

/// Reads files that people write: configurations and secrets.
package enum SmallFile {
    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The whole text, without the byte order mark that some editors begin a file with; refuses what is longer than `limit`
    /// bytes, is no UTF-8, or cannot be read.
    ///
    /// - Parameters:
    ///   - name: What errors call it, beside the path; its content is in no error.
    ///   - patience: How long a pipe may take until all of it has come; who reads a file has others to serve.
    package static func text(
        of path: String, limit: Int, called name: String, patience: Duration = .seconds(10)
    ) throws(SettingsError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(name, path) }
        defer { close(descriptor) }
        let end = ContinuousClock.now + patience
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 1)
        defer { chunk.deallocate() }
        while true {
            guard wait(for: descriptor, until: end) else {
                throw SettingsError("\(name): \(path) is a pipe from which nothing came in \(patience)")
            }
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw failure(name, path) }
            if count == 0 { break }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else {
                throw SettingsError("\(name): \(path) is longer than \(ByteCount.show(limit))")
            }
        }
        guard
            let text = String(
                validating: bytes[(bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0)...], as: UTF8.self)
        else {
            throw SettingsError("\(name): \(path) is not UTF-8 text")
        }
        return text
    }

    /// Whether there is something to read, or an end or a fault to hear of; at once for whatever is no pipe, socket or terminal.
    private static func wait(for descriptor: Int32, until end: ContinuousClock.Instant) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: end).nanoseconds / 1_000_000
            let found = poll(&watched, 1, Int32(max(0, min(left, Int64(Int32.max)))))
            if found < 0, errno == EINTR { continue }
            return found > 0
        }
    }

    /// Whether text leads to something, or into a folder that is there: what does not may be anything, a secret too, and is
    /// not to be shown. What begins with a stroke is in the top folder, which says nothing.
    static func isPath(_ text: String) -> Bool {
        var status = stat()
        if stat(text, &status) == 0 { return true }
        guard let end = text.lastIndex(of: "/"), end > text.startIndex else { return false }
        return stat(String(text[..<end]), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func failure(_ name: String, _ path: String) -> SettingsError {
        SettingsError("\(name): \(path) cannot be read: \(String(cString: strerror(errno)))")
    }
}

extension Settings.Host {
    /// The machine this process runs on.
    package static let current = Settings.Host(
        name: {
            var buffer = [CChar](repeating: 0, count: 256)
            guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
            return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        },
        randomCharacters: { count in
            let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
            return String((0..<count).compactMap { _ in alphabet.randomElement() })
        })
}
