import Logging
import NIOCore

/// Asks the servers of a Cluster who has which slot, and keeps the map that all links of a node follow. On one loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on that loop only.
final class ClusterWatch: @unchecked Sendable {
    private let redis: RedisConfiguration
    private let map: SlotMap
    private let slots: [KeySlot]
    private let patience: Duration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let onEvent: @Sendable (TopologyWatch.Event) -> Void
    private var machine: ClusterMachine
    private var servers: [RedisConfiguration.Endpoint: ClusterQuestions] = [:]
    private var identities: [RedisConfiguration.Endpoint: ServerID] = [:]
    private var ticking: RepeatedTask?
    private var waking: Scheduled<Void>?
    private var isStopped = false
    private var isConfirmed = false

    init(
        seeds: [RedisConfiguration.Endpoint], slots: [KeySlot], redis: RedisConfiguration, map: SlotMap,
        patience: Duration, eventLoop: any EventLoop, logger: Logger,
        onEvent: @escaping @Sendable (TopologyWatch.Event) -> Void
    ) {
        self.redis = redis
        self.map = map
        self.slots = slots
        self.patience = patience
        self.eventLoop = eventLoop
        self.logger = logger
        self.onEvent = onEvent
        machine = ClusterMachine(seeds: seeds, slots: slots, lease: patience)
    }

    func start() {
        eventLoop.assertInEventLoop()
        let doubted: @Sendable () -> Void = { [weak self] in self?.perform { $0.doubted(now: .now()) } }
        map.onDoubt { [eventLoop] in eventLoop.execute(doubted) }
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: TimeAmount(patience / 3)) {
            [weak self] _ in
            self?.perform { $0.ticked(now: .now()) }
        }
    }

    /// The futures are done when all its links are closed.
    func stop() -> [EventLoopFuture<Void>] {
        eventLoop.assertInEventLoop()
        isStopped = true
        ticking?.cancel()
        waking?.cancel()
        defer { servers = [:] }
        return servers.values.map { $0.shutdown() }
    }

    private func perform(_ change: (inout ClusterMachine) -> [ClusterMachine.Action]) {
        eventLoop.assertInEventLoop()
        guard !isStopped else { return }
        for action in change(&machine) { perform(action) }
    }

    private func perform(_ action: ClusterMachine.Action) {
        switch action {
        case .askState(let place):
            let asked = NIODeadline.now()
            server(at: place).askState { [weak self] answer in
                if case .success(let state) = answer { self?.identified(place, state.primary, asked: asked) }
                self?.perform { machine in
                    switch answer {
                    case .success(let state): machine.answered(place, state, now: .now())
                    case .failure(let failure): machine.failed(place, failure, now: .now())
                    }
                }
            }
        case .askSlots(let place):
            server(at: place).askSlots { [weak self] answer in
                self?.perform { machine in
                    switch answer {
                    case .success(let word): machine.answered(place, word, now: .now())
                    case .failure(let failure): machine.failed(place, failure, now: .now())
                    }
                }
            }
        case .use(let table):
            map.replace(with: table)
            var metadata: Logger.Metadata = [
                "primaries": "\(table.primaries.map(\.description).joined(separator: " "))"
            ]
            let nobodys = slots.count - table.places.count
            if nobodys > 0 { metadata["slotsOfNobody"] = "\(nobodys)" }
            logger.notice("Who has which slots of the Cluster is known", metadata: metadata)
            onEvent(.mapped(table))
        case .admit(let ids):
            map.admit(ids)
            // Links to whom it could not be said before go there now.
            if !map.current.places.isEmpty { onEvent(.mapped(map.current)) }
        case .confirmed(let asked):
            if !isConfirmed { logger.info("Most primaries say that the Cluster stands") }
            isConfirmed = true
            onEvent(.confirmed(until: asked + TimeAmount(patience)))
        case .doubtful(let reason): doubt(reason)
        case .refuse(let reason):
            logger.error("No server of the Cluster takes this node", metadata: ["reason": "\(reason)"])
            onEvent(.refused(reason: reason))
        case .leftOut(let place):
            logger.error(
                "A server that this node was told of belongs to another Cluster: it is left out",
                metadata: ["server": "\(place)"])
        case .forget(let place):
            // It closes by itself; nobody waits for it.
            _ = servers.removeValue(forKey: place)?.shutdown()
            identities[place] = nil
        case .wake(let time):
            waking?.cancel()
            waking = eventLoop.scheduleTask(deadline: time) { [weak self] in
                self?.perform { $0.doubted(now: .now()) }
            }
        }
    }

    /// Links that were made before, to one that was demoted and promoted again meanwhile, stand and lead to other data.
    private func identified(_ place: RedisConfiguration.Endpoint, _ server: ServerID?, asked: NIODeadline) {
        guard let server, identities[place] != server else { return }
        identities[place] = server
        onEvent(.identified(place, as: server, asked: asked))
    }

    private func server(at place: RedisConfiguration.Endpoint) -> ClusterQuestions {
        if let server = servers[place] { return server }
        let server = ClusterQuestions(
            to: place, redis: redis, patience: patience, eventLoop: eventLoop, logger: logger)
        servers[place] = server
        server.start { [weak self] in self?.perform { $0.doubted(now: .now()) } }
        return server
    }

    private func doubt(_ reason: String) {
        let wasConfirmed = isConfirmed
        isConfirmed = false
        if map.current.places.isEmpty {
            logger.warning("No server of the Cluster is known", metadata: ["reason": "\(reason)"])
            onEvent(.unknown(reason: reason))
        } else {
            if wasConfirmed {
                logger.warning("Most primaries do not confirm the Cluster", metadata: ["reason": "\(reason)"])
            }
            onEvent(.doubtful(reason: "most primaries do not confirm the Cluster: \(reason)"))
        }
    }
}
