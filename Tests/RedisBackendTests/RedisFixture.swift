import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import ServiceLifecycle
import Synchronization
import TestKit
import TestSupport

/// Backends of several nodes on one real Redis, ended with the test.
struct RedisFixture: Sendable {
    let redis: RedisServerProcess
    var rules = RoomRules()

    init(_ options: RedisServerProcess.Options = .init(), rules: RoomRules = RoomRules()) throws {
        redis = try RedisServerProcess(options)
        self.rules = rules
    }

    init(on redis: RedisServerProcess) {
        self.redis = redis
    }

    /// Runs `body` with as many backends as there are URLs, each ready; nil stands for Redis itself. `configure` has the last
    /// word on each, by its index.
    func withBackends(
        _ urls: [String?], prefix: String = "m", renewalInterval: Duration = .seconds(600), recoverLimit: Int = 1000,
        maxWatched: Int = 200_000, commandTimeout: Duration = .seconds(60),
        configure: (Int, inout Backend.Configuration) -> Void = { _, _ in },
        _ body: @Sendable ([Backend]) async throws -> Void
    ) async throws {
        var backends: [Backend] = []
        for (index, url) in urls.enumerated() {
            var configuration = Backend.Configuration(
                redis: try RedisConfiguration(url: url ?? redis.url), nodeId: "node-\(index)", version: "0.0.0",
                rules: rules)
            configuration.prefix = prefix
            configuration.renewalInterval = renewalInterval
            // A try that falls into the time of a busy machine's slow restart is soon followed by another.
            configuration.redis.reconnectCeiling = .milliseconds(50)
            configuration.redis.commandTimeout = commandTimeout
            configuration.redis.connectTimeout = .seconds(3)
            configuration.presence.maxConnectionsPerUser = 0
            configuration.maxMarksPerUser = 0
            configuration.recoverLimit = recoverLimit
            configuration.maxWatched = maxWatched
            configure(index, &configuration)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            backends.append(
                Backend(
                    configuration: configuration, eventLoop: loop, life: loop,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                    metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 1, rooms: 2, processor: 0.5) }))
        }
        let started = backends
        let group = ServiceGroup(
            configuration: .init(services: started.map { .init(service: $0) }, logger: Logger(label: "group")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for backend in started { try await eventually { backend.problem == nil } }
            try await body(started)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

extension RedisFixture {
    /// How often Redis has run a command so far, within scripts too.
    func calls(of command: String, on server: RedisServerProcess? = nil) async throws -> Int {
        let stats = try await (server ?? redis).cli("INFO", "commandstats")
        let line = stats.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_\(command):calls=") }
        return line.flatMap { Int($0.drop { $0 != "=" }.dropFirst().prefix { $0 != "," }) } ?? 0
    }
}

/// A hub that writes down what it is told.
final class RecordingSink: StreamSink {
    private let record = Mutex<[StreamDelivery]>([])

    var deliveries: [StreamDelivery] { record.withLock { $0 } }

    func receive(_ deliveries: [StreamDelivery]) {
        record.withLock { $0 += deliveries }
    }

    /// The `seq` of every message, in the order in which they came.
    var sequence: [Int] {
        deliveries.flatMap { delivery -> [Int] in
            switch delivery {
            case .messages(_, let messages, _): messages.map(\.seq)
            case .following(_, _, let start): start.missed.map(\.seq)
            default: []
            }
        }
    }

    var messages: [RoomMessage] {
        deliveries.flatMap { delivery -> [RoomMessage] in
            if case .messages(_, let messages, _) = delivery { messages } else { [] }
        }
    }

    /// Messages that are in no log.
    var unstored: [RoomMessage] {
        deliveries.compactMap { if case .unstored(let message) = $0 { message } else { nil } }
    }

    /// Whether a follow or watch was answered, well or badly.
    func hasAnswer(to ticket: FollowTicket) -> Bool {
        answers(to: ticket) > 0
    }

    /// How often a follow or watch was answered.
    func answers(to ticket: FollowTicket) -> Int {
        deliveries.count { delivery in
            switch delivery {
            case .following(ticket, _, _), .failed(ticket, _, _), .watching(ticket, _), .watchFailed(ticket, _): true
            default: false
            }
        }
    }

    func start(of ticket: FollowTicket) -> StreamStart? {
        for case .following(ticket, _, let start) in deliveries { return start }
        return nil
    }

    func position(of ticket: FollowTicket) -> Position? {
        start(of: ticket)?.position
    }

    var rosterChanges: [RosterChange] {
        deliveries.compactMap { if case .presence(let change) = $0 { change } else { nil } }
    }

    var statuses: [StatusChange] {
        deliveries.compactMap { if case .status(let change) = $0 { change } else { nil } }
    }

    func watched(_ ticket: FollowTicket) -> [UserStatus]? {
        for case .watching(ticket, let users) in deliveries { return users }
        return nil
    }

    var redactions: [Redaction] {
        deliveries.compactMap { if case .redacted(let redaction) = $0 { redaction } else { nil } }
    }

    var gaps: [Position] {
        deliveries.compactMap { if case .gap(_, let position) = $0 { position } else { nil } }
    }

    var epochs: [Position] {
        deliveries.compactMap { if case .epoch(_, let position) = $0 { position } else { nil } }
    }
}

extension Publication {
    init(_ room: RoomName, _ payload: String, dedupe: DedupeMark? = nil) {
        self.init(room: room, userId: UserID(unchecked: "alice"), payload: Array(payload.utf8), dedupe: dedupe)
    }
}

let room = RoomName(unchecked: "lesson-1")

extension RoomStreams {
    func follow(_ room: RoomName, ticket: FollowTicket, hub: HubNumber) {
        follow(room, since: nil, ticket: ticket, hub: hub)
    }

    func follow(_ room: RoomName, since: ClientPosition?, ticket: FollowTicket, hub: HubNumber) {
        follow(room, since: since, portion: .unbounded, ticket: ticket, hub: hub)
    }

    func watch(_ users: [UserID], ticket: FollowTicket, hub: HubNumber) {
        watch(users, held: users.count, ticket: ticket, hub: hub)
    }
}
