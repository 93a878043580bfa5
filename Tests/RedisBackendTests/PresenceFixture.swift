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

/// One node of a test: a whole backend, whose ways to Redis can be cut.
final class PresenceNode: Sendable {
    let name: String
    let backend: Backend
    let ways: NodeWays
    /// What the node's hubs are told.
    let sink = RecordingSink()
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    /// Its way to a server by itself.
    var proxy: FaultProxy { ways.proxies[0] }
    var presence: any Presence { backend.presence }
    var directory: any PresenceDirectory { backend.presenceDirectory }

    private init(name: String, backend: Backend, ways: NodeWays) {
        self.name = name
        self.backend = backend
        self.ways = ways
        _ = backend.streams.open(sink)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: backend)], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }))
        self.group = group
        running = Task { try await group.run() }
    }

    /// Nodes that share one event loop stall together, so that a busy machine declares none of them dead.
    ///
    /// - Parameter life: the loop of the node's lease, and of the way to Redis; nil for the one it shares.
    static func start(
        _ name: String, on redis: any NodeGround, settings: PresenceSettings,
        loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), life: (any EventLoop)? = nil,
        renewalInterval: Duration = .seconds(600), canaryInterval: Duration = .seconds(5), format: Format = .own
    ) async throws -> PresenceNode {
        let node = try await begin(
            name, on: redis, settings: settings, loop: loop, life: life, renewalInterval: renewalInterval,
            canaryInterval: canaryInterval, format: format)
        try await eventually("a node") { node.backend.problem == nil }
        return node
    }

    /// The same, without waiting until it is ready.
    static func begin(
        _ name: String, on redis: any NodeGround, settings: PresenceSettings, loop: any EventLoop,
        life: (any EventLoop)? = nil, renewalInterval: Duration = .seconds(600), canaryInterval: Duration = .seconds(5),
        credentials: String = "", format: Format = .own
    ) async throws -> PresenceNode {
        let ways = try await redis.ways(credentials: credentials, on: life ?? loop)
        var configuration = Backend.Configuration(
            redis: try RedisConfiguration(url: ways.url), nodeId: name, version: "0.0.0", rules: RoomRules())
        configuration.presence = settings
        configuration.format = format
        configuration.redis.reconnectCeiling = .milliseconds(50)
        configuration.redis.commandTimeout = .seconds(60)
        configuration.redis.connectTimeout = .seconds(3)
        configuration.maxMarksPerUser = 0
        configuration.renewalInterval = renewalInterval
        configuration.canaryInterval = canaryInterval
        return PresenceNode(
            name: name,
            backend: Backend(
                configuration: configuration, eventLoop: loop, life: life ?? loop,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 0, rooms: 0, processor: 0) }),
            ways: ways)
    }

    /// Why the node ended by itself.
    func failure() async throws -> BackendStartError? {
        defer { Task { try await ways.stop() } }
        do {
            try await running.value
            return nil
        } catch let error as BackendStartError {
            return error
        }
    }

    /// Nothing of it reaches Redis from now on, as after kill -9.
    func kill() async throws {
        try await cut()
        await group.triggerGracefulShutdown()
    }

    func cut() async throws {
        for proxy in ways.proxies {
            try await proxy.refuse(true)
            try await proxy.cutAll()
        }
    }

    func heal() async throws {
        for proxy in ways.proxies { try await proxy.refuse(false) }
    }

    /// Keeps what it sends on the way, or lets it go on.
    func treat(_ treatment: FaultProxy.Treatment) async throws {
        for proxy in ways.proxies { try await proxy.treat(.toServer, treatment) }
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
        try await ways.stop()
    }

    @discardableResult
    func connect(
        _ id: String, _ user: String, address: String = "", issuedAt: Int64? = nil, dialect: ClientDialect = .native,
        resuming session: String? = nil, forbidden: Set<String> = []
    ) async throws -> Registration {
        try await withCheckedThrowingContinuation { continuation in
            let userId = UserID(unchecked: user)
            presence.connect(
                PresenceConnection(
                    id: id, userId: userId, address: address, issuedAt: issuedAt, dialect: dialect),
                resuming: session.map {
                    SessionResumption(session: $0, info: Array("{}".utf8)) { !forbidden.contains($0.string) }
                }
            ) { continuation.resume(with: $0) }
        }
    }

    /// What was told of rooms' rosters.
    var rosters: [RosterChange] {
        sink.deliveries.compactMap { if case .presence(let change) = $0 { change } else { nil } }
    }

    /// The connections of this node that were told to be closed.
    var closed: [String] {
        sink.deliveries.compactMap { if case .close(let connection, _, _) = $0 { connection } else { nil } }
    }

    /// What was signalled to users of this node.
    var signals: [Signal] {
        sink.deliveries.compactMap { if case .signal(let signal) = $0 { signal } else { nil } }
    }

    func signal(_ signal: Signal, _ id: String) async throws {
        try await withCheckedThrowingContinuation { continuation in
            presence.signal(signal, connection: id) { continuation.resume(with: $0) }
        }
    }

    /// As an app's client, which shows this user there.
    @discardableResult
    func join(_ room: String, visitor id: String, as user: String) async throws -> RosterState {
        try await withCheckedThrowingContinuation { continuation in
            presence.connectVisitor(id)
            presence.join(
                RoomName(unchecked: room), connection: id, as: UserID(unchecked: user), info: Array("{}".utf8)
            ) { continuation.resume(with: $0) }
        }
    }

    @discardableResult
    func join(_ room: String, _ id: String, info: String = "{}") async throws -> RosterState {
        try await withCheckedThrowingContinuation { continuation in
            presence.join(RoomName(unchecked: room), connection: id, info: Array(info.utf8)) {
                continuation.resume(with: $0)
            }
        }
    }
}

extension PresenceDirectory {
    /// Throws a user out without keeping anybody out; answers how many connections are closed.
    func disconnect(_ user: UserID, code: UInt16, reason: String) async throws -> Int {
        let expulsion = Expulsion(reason: CloseReason(rawValue: code) ?? .forbidden, text: reason)
        return try await disconnect(user, expulsion).connections
    }
}

extension SessionID {
    /// As a client was told it, the seal not looked at.
    init?(shown text: String) {
        self.init(String(text.prefix { $0 != "." }))
    }
}

extension Connect {
    /// A connection that is new, or was registered before.
    init(
        _ connection: PresenceConnection, session: SessionID, by holder: Holder, isKnown: Bool = false,
        again since: Int64? = nil, settings: PresenceSettings
    ) {
        self.init(
            Registering(connection, session: session, holder: holder, isKnown: isKnown, settings: settings),
            mode: since.map { .again(Earlier(since: $0)) } ?? .new)
    }

    /// A new one, under a new session.
    init(_ connection: PresenceConnection, by holder: Holder, isKnown: Bool = false, settings: PresenceSettings) {
        let session = SessionID(of: connection.userId)
        self.init(connection, session: session, by: holder, isKnown: isKnown, settings: settings)
    }
}

extension Join.Answer {
    var roster: RosterState? { if case .joined(let roster, _) = self { roster } else { nil } }
}

extension Connect.Answer {
    var isRegistered: Bool { if case .registered = self { true } else { false } }
}

extension PresenceSettings {
    /// Short enough for a test that waits for a lease to end.
    static func brisk(lease: Duration = .milliseconds(600), grace: Duration = .milliseconds(400)) -> PresenceSettings {
        var settings = PresenceSettings()
        settings.lease = lease
        settings.grace = grace
        settings.roomGrace = .milliseconds(100)
        settings.maxConnectionsPerUser = 0
        return settings
    }
}

/// Runs a test with so many nodes on a Redis of its own.
func withNodes(
    _ count: Int, settings: PresenceSettings = .brisk(),
    _ body: @Sendable (RedisServerProcess, [PresenceNode]) async throws -> Void
) async throws {
    let redis = try RedisServerProcess()
    var nodes: [PresenceNode] = []
    for number in 0..<count {
        nodes.append(try await PresenceNode.start("n\(number)", on: redis, settings: settings))
    }
    try await body(redis, nodes)
    for node in nodes { try await node.stop() }
}

/// Hands every payload to a closure.
final class ChannelListener: RedisSubscriptionHandler {
    private let count = Mutex(0)
    private let onPayload: @Sendable (UnsafeRawBufferPointer) -> Void

    init(onPayload: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.onPayload = onPayload
    }

    /// How often a channel was subscribed to.
    var subscriptions: Int { count.withLock { $0 } }

    func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool) {}
    func subscriptionLost(_ slots: SlotGroup) {}
    func subscribed(channel: String) { count.withLock { $0 += 1 } }
    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) { onPayload(payload) }
    func readComplete() {}
}
