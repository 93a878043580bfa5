import Logging
import NIOCore

/// Knows where a deployment's servers are, and says when that changes; all links of a node dial what it says.
///
/// A single server is a topology of one, whose address never changes.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop only.
package final class TopologyWatch: @unchecked Sendable {
    /// An event that the rest of the node must hear, told on the loop.
    package enum Event: Hashable, Sendable {
        /// The primary is there by now: links that lead elsewhere are to follow.
        case moved(to: RedisConfiguration.Endpoint)
        /// Slots of a Cluster are elsewhere by now: links are to follow.
        case mapped(SlotTable)
        /// A server of a Cluster has said who it is by now, as it was asked then: links that are older and lead to another
        /// there are to be made anew.
        case identified(RedisConfiguration.Endpoint, as: ServerID, asked: NIODeadline)
        /// The address is all there is to know: nobody says where the primary is.
        case unwatched
        /// That the primary is where the links lead is certain until then.
        case confirmed(until: NIODeadline)
        /// It is no longer, though links may stand.
        case doubtful(reason: String)
        /// No address has been known so far.
        case unknown(reason: String)
        /// There will be none until an operator acts.
        case refused(reason: String)
    }

    private let eventLoop: any EventLoop
    private let redis: RedisConfiguration
    private let address: ShardAddress
    private let map: SlotMap
    private let slots: [KeySlot]
    private let patience: Duration
    private let logger: Logger
    private let onEvent: @Sendable (Event) -> Void
    /// Nil where the address never changes.
    private var machine: SentinelMachine?
    private var sentinels: [SentinelLinks] = []
    /// Nil but for a Cluster.
    private var cluster: ClusterWatch?
    /// The link by which a server is asked whether it is a primary.
    private var candidate: RedisCommandLink?
    private var verifications = 0
    private var ticking: RepeatedTask?
    private var isConfirmed = false

    /// - Parameters:
    ///   - address: what all links dial, moved here; of a Cluster they follow `map`.
    ///   - slots: those that are asked for.
    ///   - patience: for how long a sentinel's word holds; each is asked three times in it.
    package init(
        of redis: RedisConfiguration, address: ShardAddress, map: SlotMap = SlotMap(), slots: [KeySlot] = [],
        patience: Duration, eventLoop: any EventLoop, logger: Logger,
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.redis = redis
        self.address = address
        self.map = map
        self.slots = slots
        self.patience = patience
        self.eventLoop = eventLoop
        self.logger = logger
        self.onEvent = onEvent
    }

    package func start() {
        eventLoop.execute { [self] in
            switch redis.topology {
            case .single: onEvent(.unwatched)
            case .sentinel(let sentinels): start(sentinels)
            case .cluster(let seeds):
                let cluster = ClusterWatch(
                    seeds: seeds, slots: slots, redis: redis, map: map, patience: patience, eventLoop: eventLoop,
                    logger: logger, onEvent: onEvent)
                self.cluster = cluster
                cluster.start()
            }
        }
    }

    /// The future is done when all its links are closed.
    package func stop() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { [self] in
            ticking?.cancel()
            machine = nil
            var ended = sentinels.flatMap { $0.shutdown() }
            sentinels = []
            if let cluster { ended += cluster.stop() }
            cluster = nil
            if let candidate { ended.append(candidate.shutdown()) }
            candidate = nil
            return EventLoopFuture.andAllComplete(ended, on: eventLoop)
        }
    }

    private func start(_ sentinels: Sentinels) {
        machine = SentinelMachine(sentinels)
        for (number, place) in sentinels.places.enumerated() {
            let links = SentinelLinks(
                to: place, of: sentinels, redis: redis, patience: patience, eventLoop: eventLoop, logger: logger)
            links.start(
                onIdentity: { [weak self] runID in self?.perform { $0.identified(number, as: runID) } },
                onAnnouncement: { [weak self] endpoint in
                    self?.perform { $0.announced(number, endpoint, now: .now()) }
                })
            self.sentinels.append(links)
        }
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: TimeAmount(patience / 3)) {
            [weak self] _ in
            self?.perform { $0.ticked(now: .now()) }
        }
    }

    private func perform(_ change: (inout SentinelMachine) -> [SentinelMachine.Action]) {
        eventLoop.assertInEventLoop()
        guard var machine else { return }
        let actions = change(&machine)
        self.machine = machine
        for action in actions {
            switch action {
            case .ask(let number): ask(number)
            case .verify(let endpoint): verify(endpoint)
            case .move(let endpoint): move(to: endpoint)
            case .confirmed(let asked): confirmed(asked: asked)
            case .stay(let reason): doubt(reason)
            case .refuse(let reason):
                logger.error("The sentinels lead to no primary", metadata: ["reason": "\(reason)"])
                onEvent(.refused(reason: reason))
            }
        }
    }

    private func ask(_ number: Int) {
        sentinels[number].ask { [weak self] answer in
            self?.perform { machine in
                switch answer {
                case .address(let endpoint): machine.answered(number, endpoint)
                case .failure(let failure): machine.failed(number, failure)
                }
            }
        }
    }

    /// A link's greeting asks for the role, and takes a primary only; its first state is the answer.
    private func verify(_ endpoint: RedisConfiguration.Endpoint) {
        endVerification()
        verifications += 1
        let number = verifications
        var redis = redis
        redis.topology = .single(endpoint)
        let link = RedisCommandLink(
            configuration: redis, eventLoop: eventLoop, logger: logger,
            onState: { [weak self] state in self?.answered(endpoint, by: number, state) })
        candidate = link
        link.start()
    }

    private func answered(_ endpoint: RedisConfiguration.Endpoint, by number: Int, _ state: RedisLinkState) {
        guard number == verifications, candidate != nil else { return }
        endVerification()
        perform { machine in
            switch state {
            case .connected: machine.verified(endpoint)
            case .disconnected(let reason), .unfit(let reason): machine.rejected(endpoint, .unfit(reason: reason))
            case .refused(let message): machine.rejected(endpoint, .refused(reason: message))
            }
        }
    }

    private func endVerification() {
        // It closes by itself; nobody waits for it.
        _ = candidate?.shutdown()
        candidate = nil
    }

    private func move(to endpoint: RedisConfiguration.Endpoint) {
        let former = address.current?.description ?? "none"
        address.move(to: endpoint)
        logger.notice("The primary is known", metadata: ["address": "\(endpoint)", "former": "\(former)"])
        onEvent(.moved(to: endpoint))
    }

    private func confirmed(asked: NIODeadline) {
        if !isConfirmed { logger.info("Most sentinels name the primary where this node is") }
        isConfirmed = true
        onEvent(.confirmed(until: asked + TimeAmount(patience)))
    }

    private func doubt(_ reason: String) {
        isConfirmed = false
        if address.current == nil {
            logger.warning("No primary is known", metadata: ["reason": "\(reason)"])
            onEvent(.unknown(reason: reason))
        } else {
            logger.warning(
                "The sentinels do not confirm the primary: the node stays", metadata: ["reason": "\(reason)"])
            onEvent(.doubtful(reason: "the sentinels do not confirm the primary: \(reason)"))
        }
    }
}
