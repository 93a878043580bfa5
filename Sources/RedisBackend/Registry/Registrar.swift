import GatewayCore
import Logging
import NIOCore
import RedisClient

/// Keeps the node in the index: three beats a lease on a connection of its own, one more as a lease ends unrenewed.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class Registrar: @unchecked Sendable {
    private static let indexLifeMilliseconds: Int64 = 120_000

    /// What the rest of the node must hear, told on the link's loop.
    enum Event: Sendable {
        case registered(incarnation: Int64, sent: NIODeadline)
        /// A beat that went out at `sent` was answered.
        case beat(IndexSnapshot, sent: NIODeadline)
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
    private let leaseMilliseconds: Int64
    private let interval: TimeAmount
    private var lease: Lease
    private var right: DeclarationRight
    private var startedAt: Int64 = 0
    private var beating: RepeatedTask?
    private var isUnderWay = false
    private var isRegistered = false
    private var isStopped = false
    private var mustBeatAgain = false
    private var earlyBeat: Scheduled<Void>?

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, nodeId: String, instance: String, version: String, settings: PresenceSettings, logger: Logger,
        load: @escaping @Sendable () -> NodeLoad, onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.store = store
        self.nodeId = nodeId
        self.instance = instance
        self.version = version
        self.load = load
        self.logger = logger
        self.onEvent = onEvent
        leaseMilliseconds = settings.lease.milliseconds
        interval = .milliseconds(settings.interval.milliseconds)
        lease = Lease(leaseMilliseconds: leaseMilliseconds)
        right = DeclarationRight(lease: leaseMilliseconds, interval: settings.interval.milliseconds)
    }

    func start() {
        loop.execute { [self] in
            beating = loop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in self.beat() }
        }
    }

    /// Takes a new incarnation in place of this one, which is fenced below `fence` or unknown to another run of Redis; any
    /// thread. Nothing happens where the node has another by then.
    func renounce(_ incarnation: Int64, fence: Int64 = 0) {
        loop.execute { [self] in
            guard lease.incarnation == incarnation, !isStopped else { return }
            logger.warning("The node takes a new incarnation", metadata: ["old": "\(incarnation)"])
            lease.renounce(above: max(fence, incarnation))
            isRegistered = false
            if isUnderWay { mustBeatAgain = true } else { beat() }
        }
    }

    /// Stops beating and takes the node out of the index, as far as Redis can be reached within a second.
    func stop() -> EventLoopFuture<Void> {
        let done = loop.makePromise(of: Void.self)
        loop.execute { [self] in
            isStopped = true
            beating?.cancel()
            beating = nil
            earlyBeat?.cancel()
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
        let sent = NIODeadline.now()
        call(mode: mode, incarnation: incarnation, timeout: .milliseconds(leaseMilliseconds)) { [self] result in
            isUnderWay = false
            guard !isStopped else { return }
            received(result, mode: mode, incarnation: incarnation, sent: sent)
            guard mustBeatAgain else { return }
            mustBeatAgain = false
            beat()
        }
    }

    private func received(
        _ result: Result<RedisReply, RedisError>, mode: String, incarnation: Int64, sent: NIODeadline
    ) {
        guard case .success(let reply) = result, let answer = Registrar.answer(reply, mode: mode) else {
            return right.failed()
        }
        if startedAt == 0, case .registered(let given) = answer { startedAt = given }
        let now = NIODeadline.now()
        if case .renewed = answer {
            // Renounced while the beat was under way: what it renewed is given up already.
            guard lease.incarnation == incarnation, let redis = reply[1].integer else { return }
            right.answered(sent: sent.milliseconds, now: now.milliseconds, redis: redis)
        } else {
            right.failed()
        }
        act(on: lease.received(answer, now: now.milliseconds), sent: sent)
        guard case .renewed = answer,
            let index = IndexSnapshot(reply, ownNode: nodeId, isSure: right.holds(now: now.milliseconds))
        else { return }
        onEvent(.beat(index, sent: sent))
        beatEarly(index)
    }

    /// Looks again as soon as a lease may have ended, so that a death is seen without waiting for the next beat.
    private func beatEarly(_ index: IndexSnapshot) {
        earlyBeat?.cancel()
        guard let end = index.earliestEnd else { return }
        let delay = TimeAmount.milliseconds(end - index.now + 20)
        guard delay < interval else { return }
        earlyBeat = loop.scheduleTask(in: delay) { [self] in beat() }
    }

    private func act(on outcome: Lease.Outcome, sent: NIODeadline) {
        switch outcome {
        case .held:
            guard !isRegistered, let incarnation = lease.incarnation else { return }
            isRegistered = true
            logger.info("The node is registered", metadata: ["incarnation": "\(incarnation)"])
            onEvent(.registered(incarnation: incarnation, sent: sent))
            // Who else is there is told by renewing only.
            beat()
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
            .integer(leaseMilliseconds), .integer(Registrar.indexLifeMilliseconds), .string(description),
            .integer(right.limit(now: NIODeadline.now().milliseconds)),
        ]
        store.call(
            Scripts.beat, keys: [store.keys.index, store.keys.marked], arguments: arguments, timeout: timeout,
            reply: reply)
    }

    private static func answer(_ reply: RedisReply, mode: String) -> Lease.Answer? {
        switch reply[0].string {
        case "ok": return mode == "register" ? reply[1].integer.map { .registered(incarnation: $0) } : .renewed
        case "lost": return .lost
        case "taken": return .taken
        default: return nil
        }
    }
}

extension NIODeadline {
    var milliseconds: Int64 { Int64(uptimeNanoseconds / 1_000_000) }
}
