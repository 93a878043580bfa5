import Logging
import NIOCore
import NIOPosix
import RedisClient
import Testing

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension RedisConfiguration {
    init(port: Int) {
        self.init(endpoint: .tcp(host: "127.0.0.1", port: port))
        connectTimeout = .seconds(3)
        reconnectCeiling = .milliseconds(100)
    }

    init(socket: String) {
        self.init(endpoint: .unix(path: socket))
        connectTimeout = .seconds(3)
        reconnectCeiling = .milliseconds(100)
    }
}

extension RedisReply {
    /// As a server's status, such as `OK`.
    static func status(_ text: String) throws -> RedisReply {
        let reader = try #require(ReplyReader(maxReplyBytes: 1024))
        var reply: RedisReply?
        try Array("+\(text)\r\n".utf8).withUnsafeBytes { bytes in
            try reader.read(bytes) {
                reply = $0.copied()
                return true
            }
        }
        return try #require(reply)
    }
}

extension RedisLinkState {
    var isConnected: Bool {
        if case .connected = self { true } else { false }
    }

    var isDisconnected: Bool {
        if case .disconnected = self { true } else { false }
    }

    var isUnfit: Bool {
        if case .unfit = self { true } else { false }
    }

    var server: ServerID? {
        if case .connected(let server, _, _) = self { server } else { nil }
    }
}

typealias StateLog = Recorder<RedisLinkState>

/// Runs the body with a started link, which is shut down afterwards.
func withLink(
    _ configuration: RedisConfiguration, scripts: [RedisScript] = [],
    _ body: (RedisCommandLink, StateLog) async throws -> Void
) async throws {
    let states = StateLog()
    let link = RedisCommandLink(
        configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .silent,
        scripts: scripts, onState: { states.record($0) })
    link.start()
    do {
        try await body(link, states)
    } catch {
        try await link.shutdown().get()
        throw error
    }
    try await link.shutdown().get()
}

extension RedisCommandLink {
    /// Sends without waiting; the result is recorded with its number.
    func send(_ command: [RedisArgument], timeout: TimeAmount? = nil, as number: Int, to results: Recorder<Answer>) {
        send(command, timeout: timeout) { result in
            results.record(Answer(number: number, result: result.map { $0.text }))
        }
    }
}

struct Answer: Sendable, Equatable {
    let number: Int
    let result: Result<String, RedisError>
}

extension RedisReply {
    /// The whole reply on one line.
    var text: String {
        if let array { return "[" + array.map(\.text).joined(separator: " ") + "]" }
        if isNull { return "null" }
        return (isError ? "!" : "") + (string ?? integer.map { ":\($0)" } ?? "?")
    }

    var strings: [String] {
        (array ?? []).map { $0.string ?? "?" }
    }
}
