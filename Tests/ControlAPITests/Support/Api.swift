import ControlAPI
import Dialects
import GatewayCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization

/// A control server on a port of its own, and what it works against.
struct Api: Sendable {
    let port: Int
    let log: MemoryLog
    let directory: FixedDirectory
    let presence: FixedPresence
    let bans: FixedBans
    let closer: FixedConnections
    let rooms: MemoryGovernor
    let erasure: FixedErasure
    let spenders: FixedSpenders
    let metrics: MetricsRegistry
    let switches: Switches
    let lines: LogLines
    let keys: KeyRing
    /// Begins a graceful shutdown; it does not wait for its end.
    let shutDown: @Sendable () async -> Void

    static let key = "k-local"

    /// What the node says about itself.
    final class Switches: Sendable {
        let readiness = Mutex(Readiness.ready)
        let isAlive = Mutex(true)
    }

    /// Starts a server, runs the body and shuts the server down gracefully.
    ///
    /// - Parameter wall: what its clock shows, in milliseconds since 1970; nil: the machine's.
    static func serve(
        keys: [String] = ["other", key], named: [BackendKey] = [], maxBodyBytes: Int = 1 << 20,
        maxConnections: Int = 1000,
        headTimeout: Duration = .seconds(60), idleTimeout: Duration = .seconds(60),
        bodyTimeout: Duration = .seconds(30), fence: LoopbackFence = .open, nodes: [NodeEntry] = [],
        webhooks: (any WebhookDirectory)? = nil, turn: TurnServers? = nil, rights: (any RightsReview)? = nil,
        calls: (any CallLedger)? = nil, apps: PusherApps = PusherApps(), wall: Int64? = nil,
        _ body: @escaping @Sendable (Api) async throws -> Void
    ) async throws {
        let log = MemoryLog()
        let directory = FixedDirectory(nodes)
        let presence = FixedPresence()
        let bans = FixedBans()
        let rooms = MemoryGovernor()
        let erasure = FixedErasure()
        let spenders = FixedSpenders()
        let metrics = MetricsRegistry()
        let switches = Switches()
        let lines = LogLines()
        let (ports, opened) = AsyncStream.makeStream(of: Int.self)
        let closer = FixedConnections()
        var configuration = ControlConfiguration(
            port: 0, keys: keys, maxBodyBytes: maxBodyBytes, clientPort: 4711, maxConnections: maxConnections,
            headTimeout: headTimeout, idleTimeout: idleTimeout, bodyTimeout: bodyTimeout, fence: fence)
        configuration.backendKeys = named
        configuration.turn = turn
        configuration.apps = apps
        let clock: @Sendable () -> Int64 = { wall ?? Int64(HTTPDate.now) * 1000 }
        let server = ControlServer(
            configuration: configuration,
            log: log, nodes: directory, presence: presence, webhooks: webhooks, bans: bans,
            connectionCloser: closer, rooms: rooms, erasure: erasure, spenders: spenders, rights: rights, calls: calls,
            readiness: { switches.readiness.withLock { $0 } },
            liveness: { switches.isAlive.withLock { $0 } },
            wall: clock,
            metrics: metrics, logger: Logger(label: "api") { _ in lines.handler() },
            onListening: { opened.yield($0) })
        let group = ServiceGroup(services: [server], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { opened.finish() }
                try await group.run()
            }
            for await port in ports {
                let api = Api(
                    port: port, log: log, directory: directory, presence: presence, bans: bans, closer: closer,
                    rooms: rooms, erasure: erasure, spenders: spenders, metrics: metrics, switches: switches,
                    lines: lines, keys: server.keys,
                    shutDown: { await group.triggerGracefulShutdown() })
                do {
                    try await body(api)
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                break
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// A request with a key and a JSON body, on a connection of its own.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, key: String? = Api.key,
        headers extra: [(String, String)] = []
    ) async throws -> Answer {
        var headers = HTTPHeaders([("Host", "api")])
        if let key { headers.add(name: "Authorization", value: "Bearer \(key)") }
        if body != nil, !extra.contains(where: { $0.0.lowercased() == "content-type" }) {
            headers.add(name: "Content-Type", value: "application/json")
        }
        for (name, value) in extra where !value.isEmpty { headers.add(name: name, value: value) }
        return try await send(method, path, headers: headers, bytes: body.map { Array($0.utf8) })
    }

    func send(_ method: HTTPMethod, _ path: String, headers: HTTPHeaders, bytes: [UInt8]?) async throws -> Answer {
        var headers = headers
        if let bytes { headers.replaceOrAdd(name: "Content-Length", value: "\(bytes.count)") }
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        return try await channel.executeThenClose { inbound, outbound in
            var parts: [HTTPClientRequestPart] = [.head(head)]
            if let bytes { parts.append(.body(.byteBuffer(ByteBuffer(bytes: bytes)))) }
            parts.append(.end(nil))
            try await outbound.write(contentsOf: parts)
            return try await Api.answer(from: inbound)
        }
    }

    /// Writes bytes as they are and reads whatever comes until the server closes, however it does.
    func exchange(_ text: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var all = ""
            do {
                try await outbound.write(ByteBuffer(string: text))
                for try await part in inbound { all += String(buffer: part) }
            } catch is IOError {
                // Reset by the server: closed all the same.
            } catch let error as ChannelError where error == .ioOnClosedChannel {
                // Closed before all was written.
            }
            return all
        }
    }

    private static func answer(from inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>) async throws
        -> Answer
    {
        var answer = Answer(status: 0, headers: [:], bytes: [])
        for try await part in inbound {
            switch part {
            case .head(let head):
                answer.status = Int(head.status.code)
                answer.headers = head.headers
            case .body(let buffer): answer.bytes.append(contentsOf: buffer.readableBytesView)
            case .end: return answer
            }
        }
        throw ChannelError.eof
    }
}

/// The lines that a server logged.
final class LogLines: Sendable {
    private let all = Mutex<[String]>([])

    var text: String { all.withLock { $0.joined(separator: "\n") } }

    func handler() -> any LogHandler { Handler(lines: self) }

    private func append(_ line: String) {
        all.withLock { $0.append(line) }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.append("\(event.level) \(event.message) \(metadata) \(event.metadata ?? [:])")
        }
    }
}
