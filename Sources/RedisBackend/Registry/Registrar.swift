import GatewayCore
import Logging
import NIOCore
import RedisClient

/// Keeps the node in the index: one beat a second on a connection of its own.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class Registrar: @unchecked Sendable {
    /// How long a node that has not beaten still counts as live.
    static let leaseMilliseconds: Int64 = 3000
    static let interval: TimeAmount = .seconds(1)
    private static let indexLifeMilliseconds: Int64 = 120_000

    /// What the rest of the node must hear.
    enum Event: Sendable {
        case registered(incarnation: Int64)
        /// The entry was gone though Redis is there: what this node knows of Redis may be gone as well.
        case lost
        /// Another instance has the node's name.
        case refused
    }

    private let store: Store
    private let nodeId: String
    private let instance: String
    private let version: String
    private let load: @Sendable () -> NodeLoad
    private let logger: Logger
    private let onEvent: @Sendable (Event) -> Void
    private var lease = Lease(leaseMilliseconds: Registrar.leaseMilliseconds)
    private var startedAt: Int64 = 0
    private var beating: RepeatedTask?
    private var isUnderWay = false
    private var isRegistered = false
    private var isStopped = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, nodeId: String, instance: String, version: String, logger: Logger,
        load: @escaping @Sendable () -> NodeLoad, onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.store = store
        self.nodeId = nodeId
        self.instance = instance
        self.version = version
        self.load = load
        self.logger = logger
        self.onEvent = onEvent
    }

    func start() {
        loop.execute { [self] in
            beating = loop.scheduleRepeatedTask(initialDelay: .zero, delay: Registrar.interval) { _ in self.beat() }
        }
    }

    /// Stops beating and takes the node out of the index, as far as Redis can be reached within a second.
    func stop() -> EventLoopFuture<Void> {
        let done = loop.makePromise(of: Void.self)
        loop.execute { [self] in
            isStopped = true
            beating?.cancel()
            beating = nil
            guard isRegistered else { return done.succeed() }
            call(mode: "release", incarnation: 0, timeout: .seconds(1)) { _ in done.succeed() }
        }
        return done.futureResult
    }

    private func beat() {
        guard !isUnderWay, !isStopped else { return }
        isUnderWay = true
        let mode: String
        let incarnation: Int64
        switch lease.next {
        case .register(let after): (mode, incarnation) = ("register", after)
        case .renew(let held): (mode, incarnation) = ("renew", held)
        }
        let timeout = TimeAmount.milliseconds(Registrar.leaseMilliseconds)
        call(mode: mode, incarnation: incarnation, timeout: timeout) { [self] result in
            isUnderWay = false
            guard !isStopped, let answer = Registrar.answer(result, mode: mode) else { return }
            if startedAt == 0, case .registered(let given) = answer { startedAt = given }
            act(on: lease.received(answer, now: Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)))
        }
    }

    private func act(on outcome: Lease.Outcome) {
        switch outcome {
        case .held:
            guard !isRegistered, let incarnation = lease.incarnation else { return }
            isRegistered = true
            logger.info("The node is registered", metadata: ["incarnation": "\(incarnation)"])
            onEvent(.registered(incarnation: incarnation))
        case .lost:
            isRegistered = false
            logger.warning("The node's registration was gone; it registers again")
            onEvent(.lost)
            beat()
        case .waiting:
            logger.info("Another instance holds the node's name; waiting for its lease to end")
        case .refused:
            isRegistered = false
            isStopped = true
            beating?.cancel()
            onEvent(.refused)
        }
    }

    private func call(
        mode: String, incarnation: Int64, timeout: TimeAmount,
        reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let description = NodeDescription.encode(startedAt: startedAt, load: load(), version: version)
        let arguments: [RedisArgument] = [
            .string(mode), .string(nodeId), .string(instance), .integer(incarnation),
            .integer(Registrar.leaseMilliseconds), .integer(Registrar.indexLifeMilliseconds), .string(description),
        ]
        store.call(
            store.scripts.beat, keys: [store.keys.index], arguments: arguments, timeout: timeout, reply: reply)
    }

    private static func answer(_ result: Result<RedisReply, RedisError>, mode: String) -> Lease.Answer? {
        guard case .success(let reply) = result else { return nil }
        switch reply[0].string {
        case "ok": return mode == "register" ? reply[1].integer.map { .registered(incarnation: $0) } : .renewed
        case "lost": return .lost
        case "taken": return .taken
        default: return nil
        }
    }
}
