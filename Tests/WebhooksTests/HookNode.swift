import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import ServiceLifecycle
import TestKit
import Webhooks
import TestSupport

/// A node as far as webhooks need one: its registry and its senders, on a way to Redis that can be cut.
final class HookNode: Sendable {
    let backend: Backend
    let proxy: FaultProxy
    private let service: WebhookService
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    private init(backend: Backend, proxy: FaultProxy, service: WebhookService) {
        self.backend = backend
        self.service = service
        self.proxy = proxy
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: backend), .init(service: service)], logger: Logger.silent))
        self.group = group
        running = Task { try await group.run() }
    }

    static func start(
        _ name: String, on redis: RedisServerProcess, configuration webhooks: WebhookConfiguration,
        ledger: WebhookLedgerSettings = .init(), lease: Duration = .seconds(3),
        loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), wall: (@Sendable () -> Int64)? = nil
    ) async throws -> HookNode {
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath), on: loop)
        var configuration = Backend.Configuration(
            redis: try RedisConfiguration(url: "redis://127.0.0.1:\(proxy.port)"), nodeId: name, version: "0.0.0",
            rules: RoomRules())
        var presence = PresenceSettings()
        presence.lease = lease
        presence.grace = .milliseconds(200)
        configuration.presence = presence
        configuration.redis.reconnectCeiling = .milliseconds(50)
        configuration.redis.connectTimeout = .seconds(3)
        configuration.receivers = webhooks.receivers
        configuration.webhookLedger = ledger
        let backend = Backend(
            configuration: configuration, eventLoop: loop, life: loop, logger: .silent,
            metrics: NOOPMetricsHandler.instance,
            load: { NodeLoad(connections: 0, rooms: 0, processor: 0) })
        let service = WebhookService(
            configuration: webhooks, ledger: backend.eventLedger, metrics: NOOPMetricsHandler.instance, logger: .silent,
            now: { 1_700_000_000 }, wall: wall)
        let node = HookNode(backend: backend, proxy: proxy, service: service)
        try await eventually("a node") { node.backend.problem == nil }
        return node
    }

    /// Other receivers from here on.
    func replace(_ configuration: WebhookConfiguration) {
        service.replace(configuration, authorities: [])
        backend.receivers.replace(configuration.receivers)
    }

    /// Nothing of it reaches Redis from now on, as after kill -9.
    func kill() async throws {
        try await proxy.refuse(true)
        try await proxy.cutAll()
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
        try await proxy.stop()
    }

    func connect(_ id: String, _ user: String) async throws {
        let userId = UserID(unchecked: user)
        let connection = PresenceConnection(id: id, userId: userId, address: "")
        _ = try await withCheckedThrowingContinuation { continuation in
            backend.presence.connect(connection, resuming: nil) { continuation.resume(with: $0) }
        }
    }

    func join(_ room: String, _ id: String) async throws {
        _ = try await withCheckedThrowingContinuation { continuation in
            backend.presence.join(RoomName(unchecked: room), connection: id, info: Array("{}".utf8)) {
                continuation.resume(with: $0)
            }
        }
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}

extension WebhookConfiguration {
    /// To these servers, quickly.
    static func brisk(_ receivers: [WebhookReceiver]) -> WebhookConfiguration {
        var configuration = WebhookConfiguration(receivers: receivers, secrets: ["a secret of a test"])
        configuration.allowsPrivate = true
        configuration.timeout = .seconds(60)
        configuration.pace.interval = .milliseconds(50)
        configuration.pace.firstPause = .milliseconds(50)
        configuration.pace.longestPause = .milliseconds(200)
        configuration.pace.storePause = .milliseconds(100)
        return configuration
    }
}

/// A ledger in memory with one partition, in the care of whoever asks.
actor FakeLedger: EventLedger {
    private var waiting: [LedgerEvent]
    private(set) var givenUp: [String] = []
    private(set) var notes: [String] = []

    init(events: Int) {
        waiting = (0..<events).map { number in
            LedgerEvent(id: "\(number)", entry: "\(number)", type: "user.online", userId: "u", timestamp: 1)
        }
    }

    var isEmpty: Bool { waiting.isEmpty }

    nonisolated func assignments() -> [LedgerAssignment] { [LedgerAssignment(partition: 0, token: "node 1")] }

    func gather(_ assignment: LedgerAssignment, for receiver: WebhookReceiver) -> LedgerBatch? {
        guard !waiting.isEmpty else { return nil }
        let events = Array(waiting.prefix(10))
        return LedgerBatch(
            kind: .news, events: events, entries: events.map(\.id), hasMore: waiting.count > 10, gatheredAt: 1,
            lag: waiting.count)
    }

    func settle(
        _ batch: LedgerBatch, of assignment: LedgerAssignment, for receiver: WebhookReceiver, as outcome: LedgerOutcome
    ) {
        waiting.removeAll { batch.entries.contains($0.id) }
        if case .givenUp = outcome { givenUp += batch.entries }
    }

    func record(_ problem: String, of assignment: LedgerAssignment, for receiver: WebhookReceiver) {
        notes.append(problem)
    }

    func trim(_ assignment: LedgerAssignment, receivers: [WebhookReceiver]) {}
}
