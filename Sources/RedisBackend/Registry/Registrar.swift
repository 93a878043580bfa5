import GatewayCore
import Logging
import NIOCore
import RedisClient

/// Keeps the node in the index: three beats a lease on a connection of its own, one more as a lease ends unrenewed.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class Registrar: @unchecked Sendable {
    /// An event that the rest of the node must hear, told on the link's loop.
    enum Event: Sendable {
        /// `round`: how often Redis was set back under one identity.
        case registered(incarnation: Int64, round: Int64, sent: NIODeadline)
        /// A beat that went out at `sent` was answered.
        case beat(IndexSnapshot, sent: NIODeadline)
        /// The entry was gone though Redis is there: what this node knows of Redis may be gone as well.
        case lost
        /// Redis is another by now, though the link never broke.
        case moved
        /// Another instance has the node's name.
        case refused
        /// The deployment is in a format that this node does not read.
        case foreign(Format.Refusal)
    }

    private let store: Store
    private let node: Beat.Node
    private let format: Format
    private let version: String
    private let load: @Sendable () -> NodeLoad
    private let health: Health
    private let redisClock: RedisClock
    private let logger: Logger
    private let onEvent: @Sendable (Event) -> Void
    private let interval: TimeAmount
    private let leaseLength: Duration
    private var lease: Lease
    private var right: DeclarationRight
    private var grace: FailoverGrace
    private var doubt: PromotionDoubt
    private var watchesReplicas = false
    private var ability: Ability
    private var sightings: Sightings
    private var clock = ClockWatch()
    private let silent: SilentNodes
    /// Where the link leads, and with which server the node was in the index last.
    private var server: ServerID?, indexed: ServerID?
    /// What was made of what the deployment bears.
    private var consent: Beat.Consent?
    /// In which format all write, as a beat has told.
    private var written: Int? { didSet { writtenFormat.became(written ?? 0) } }
    private let writtenFormat: WrittenFormat
    private var startedAt: Int64 = 0
    private var beating: RepeatedTask?
    private var isUnderWay = false
    private var lostAt: NIODeadline?
    private var isRegistered = false
    private var isStopped = false
    private var mustBeatAgain = false
    private var earlyBeat: Scheduled<Void>?

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, nodeId: String, instance: String, format: Format, version: String, settings: PresenceSettings,
        silent: SilentNodes, writtenFormat: WrittenFormat, logger: Logger, health: Health, clock redisClock: RedisClock,
        load: @escaping @Sendable () -> NodeLoad, onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.store = store
        node = Beat.Node(
            nodeId, instance: instance, lease: settings.lease, failoverGrace: settings.failoverGrace)
        self.silent = silent
        self.writtenFormat = writtenFormat
        self.format = format
        self.version = version
        self.load = load
        self.health = health
        self.redisClock = redisClock
        leaseLength = settings.lease
        self.logger = logger
        self.onEvent = onEvent
        interval = .milliseconds(settings.interval.milliseconds)
        lease = Lease(leaseMilliseconds: settings.lease.milliseconds)
        right = DeclarationRight(
            lease: settings.lease.milliseconds, interval: settings.interval.milliseconds)
        grace = FailoverGrace(length: settings.failoverGrace.milliseconds)
        doubt = PromotionDoubt(
            length: settings.failoverGrace.milliseconds,
            comingBack: settings.lease.milliseconds + settings.interval.milliseconds)
        ability = Ability(lease: settings.lease.milliseconds)
        sightings = Sightings(lease: settings.lease.milliseconds)
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

    /// The link stands again, where a beat may have been given up with the last: the next does not wait for its time.
    func linked(to server: ServerID) {
        loop.assertInEventLoop()
        // Replicas of another are none of this one's.
        if server != self.server { doubt.forget() }
        self.server = server
        if beating != nil { beat() }
    }

    /// That the link leads to the primary is certain until then.
    func primaryConfirmed(until end: NIODeadline) {
        loop.assertInEventLoop()
        right.confirmed(until: end.milliseconds)
    }

    /// Nobody says where the primary is: its replicas tell whether another may be in its place.
    func watchReplicas() {
        loop.assertInEventLoop()
        watchesReplicas = true
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
            store.call(Release(node), timeout: .seconds(1)) { _ in done.succeed() }
        }
        return done.futureResult
    }

    private func beat() {
        guard !isUnderWay, !isStopped else { return }
        isUnderWay = true
        guard watchesReplicas else { return sendBeat() }
        // A promotion that took those along who are silent by now shows in what is asked behind their silence.
        guard hasSilent(now: NIODeadline.now().milliseconds) else {
            askForReplicas()
            return sendBeat()
        }
        askForReplicas { [self] in sendBeat() }
    }

    private func sendBeat() {
        guard !isStopped else { return }
        let asked = lease.next
        let mode: Beat.Mode =
            switch asked {
            case .register(let highest, let former): .register(after: highest, over: former, consent)
            case .renew(let incarnation, let number): .renew(incarnation: incarnation, beat: number)
            }
        let sent = NIODeadline.now()
        let description = describe(now: sent.milliseconds)
        let beat = Beat(
            mode, of: node, description: description, left: indexed?.token ?? "",
            declaring: declaration(now: sent.milliseconds))
        store.call(beat) { [self] result in
            isUnderWay = false
            guard !isStopped else { return }
            received(result, asked: asked, sent: sent)
            guard mustBeatAgain else { return }
            mustBeatAgain = false
            self.beat()
        }
    }

    private func askForReplicas(then: @escaping @Sendable () -> Void = {}) {
        let sent = NIODeadline.now()
        store.send(.info(.replication)) { [self] result in
            defer { then() }
            // Beats say whether the server answers at all.
            if case .success(let info) = result {
                let former = doubt.missing
                doubt.saw(ReplicasSeen(info: info), asked: sent.milliseconds)
                tell(from: former, to: doubt.missing)
                guard doubt.isNone else { return right.confirmed(until: .min) }
            }
            right.confirmed(until: (sent + interval + interval).milliseconds)
        }
    }

    private func tell(from former: [String], to missing: [String]) {
        guard former != missing else { return }
        guard !missing.isEmpty else {
            return logger.info("No replica of Redis is in doubt any more: who does not beat is dead again")
        }
        logger.warning(
            "A replica of Redis has gone, which may be promoted: until redis.failoverGrace is over nobody counts as dead",
            metadata: [
                "replicas": "\(missing.map { $0.isEmpty ? "one before this node began" : $0 }.joined(separator: ", "))"
            ])
    }

    private func describe(now: Int64) -> String {
        let load = load()
        let duty = health.dutyProblem
        return NodeDescription.encode(
            format, startedAt: startedAt, load: load, version: version,
            ability: ability.found(isWell: health.isAble && duty == nil, now: now),
            reason: load.isDraining ? "draining" : health.problem(besides: .registration) ?? duty)
    }

    private func received(_ result: Result<Beat.Answer, CallError>, asked: Lease.Beat, sent: NIODeadline) {
        let now = NIODeadline.now().milliseconds
        switch result {
        case .failure:
            // The next one may still be in time: how long none was answered is what counts.
            break
        case .success(.registered(let incarnation, let round, let redis)):
            if startedAt == 0 { startedAt = redis }
            indexed = server
            // Before a renewal tells it: Redis may lose all until then.
            written = consent?.format.writes
            right.failed()
            act(on: lease.received(.registered(incarnation: incarnation), now: now), round: round, sent: sent)
        case .success(.renewed(let index)):
            // Renounced while the beat was under way: what it renewed is given up already.
            guard lease.next == asked, goesOn(in: index.format) else { return }
            indexed = server
            right.answered(sent: sent.milliseconds, now: now, redis: index.now)
            grace.heard(of: index.meeting, now: now)
            look(at: index, sent: sent.milliseconds, now: now)
            let number = index.nodes.first { $0.name == node.name }?.last.number ?? 0
            act(on: lease.received(.renewed(beat: number), now: now), sent: sent)
            let snapshot = IndexSnapshot(
                index, isSure: right.holds(now: now), spares: grace.spares(now: now), clock: clock)
            onEvent(.beat(snapshot, sent: sent))
            beatEarly(now: now)
        case .success(.moved):
            right.failed()
            onEvent(.moved)
        case .success(.lost):
            right.failed()
            act(on: lease.received(.lost, now: now), sent: sent)
        case .success(.taken(let tenant)):
            right.failed()
            act(on: lease.received(.taken(by: tenant), now: now), sent: sent)
        case .success(.changed(let found)):
            right.failed()
            agree(on: found)
        }
    }

    /// Registers under what was found, where this node may.
    private func agree(on found: Format.Found) {
        switch format.verdict(on: found, having: written) {
        case .join(let borne):
            let isNew = consent?.found != found
            consent = Beat.Consent(to: found, borne)
            if isNew { beat() }
        case .refuse(let refusal):
            end(.foreign(refusal))
        }
    }

    /// Whether this node can write as all do; it ends where it cannot.
    private func goesOn(in written: Int) -> Bool {
        if let refusal = format.refusal(of: written) {
            end(.foreign(refusal))
            return false
        }
        if self.written != written {
            logger.info("All nodes write in one format", metadata: ["format": "\(written)"])
        }
        self.written = written
        return true
    }

    private func end(_ event: Event) {
        isRegistered = false
        isStopped = true
        beating?.cancel()
        onEvent(event)
    }

    /// Whom the next beat declares dead: whoever has not beaten for a lease, unless it may be with another server.
    private func declaration(now: Int64) -> Declaration? {
        guard let expected = right.expected(now: now) else { return nil }
        let spared = grace.spares(now: now)
        let dead = sightings.silent(now: now).filter { $0.key != node.name && $0.value.incarnation >= spared }
        return Declaration(expecting: expected, dead: dead)
    }

    private func hasSilent(now: Int64) -> Bool { sightings.silent(now: now).contains { $0.key != node.name } }

    private func look(at index: Beat.Index, sent: Int64, now: Int64) {
        sightings.saw(index.nodes, redis: index.now, sent: sent, now: now)
        silent.replace(with: Set(sightings.silent(now: now).keys).subtracting([node.name]))
        let step = clock.answered(sent: sent, now: now, redis: index.now)
        if let ahead = clock.middle { redisClock.found(ahead: ahead) }
        guard let step else { return }
        logger.warning(
            "Redis's clock has stepped: graces that run begin anew, and all that is registered is compared",
            metadata: ["milliseconds": "\(step)"])
    }

    /// Beats again as soon as another may not have beaten for a lease, so that a death is seen without waiting for the next
    /// beat.
    private func beatEarly(now: Int64) {
        earlyBeat?.cancel()
        guard let end = sightings.nextEnd(besides: node.name, now: now) else { return }
        let delay = TimeAmount.milliseconds(end - now + 20)
        guard delay < interval else { return }
        earlyBeat = loop.scheduleTask(in: delay) { [self] in beat() }
    }

    private func act(on outcome: Lease.Outcome, round: Int64 = 0, sent: NIODeadline) {
        switch outcome {
        case .held:
            health.leased(until: MonotonicTime(sent) + leaseLength)
            guard !isRegistered, let incarnation = lease.incarnation else { return }
            isRegistered = true
            logger.info("The node is registered", metadata: ["incarnation": "\(incarnation)"])
            onEvent(.registered(incarnation: incarnation, round: round, sent: sent))
            // Who else is there is told by renewing only.
            beat()
        case .lost:
            isRegistered = false
            logger.warning("The node's registration was gone; it registers again")
            onEvent(.lost)
            // One that is lost again and again would do nothing else.
            let now = NIODeadline.now()
            if lostAt.map({ now - $0 >= interval }) ?? true { beat() }
            lostAt = now
        case .waiting:
            if isRegistered {
                isRegistered = false
                onEvent(.lost)
            }
            logger.info("Another instance holds the node's name; waiting for it to beat no more")
        case .free:
            logger.info("The other instance of the node's name has not beaten for a lease: it is taken for dead")
            beat()
        case .refused:
            end(.refused)
        }
    }
}

extension NIODeadline {
    var milliseconds: Int64 { Int64(uptimeNanoseconds / 1_000_000) }
}
