import GatewayCore
import Logging
import Metrics
import NIOCore
import RedisClient
import ServiceLifecycle
import Tracing

/// All that a node does in Redis: four links, or five where messages must be on a replica, the log, the streams and the registry.
/// Each link is a connection, or in a Cluster one to each server that it needs.
///
/// Two of the links, the beat's and the coordinator's, stand on a loop that serves no client, so that no client's work
/// holds a lease up, or the telling of a death. Commands, subscriptions, router and registry stand together on a client's
/// loop: what its own clients ask for, and what they are told, takes no hop there, and all others' takes one a turn; a
/// loop of its own would make that one hop more for every message, there and back.
package final class Backend: Service {
    package struct Configuration: Sendable {
        package var redis: RedisConfiguration
        /// `redis.prefix`.
        package var prefix = "m"
        package var nodeId: String
        package var version: String
        /// Another than the release's own where a test plays an earlier or a later one.
        package var format = Format.own
        package var rules: RoomRules
        /// `redis.budget`.
        package var memoryBudget = MemoryBudget.share(percent: 80)
        /// `client.dedupeKeysPerUser`; 0: no limit.
        package var maxMarksPerUser = 25_000
        package var presence = PresenceSettings()
        /// Who is told of the ledger's events; without any, the ledger is only bounded.
        package var receivers: [WebhookReceiver] = []
        package var webhookLedger = WebhookLedgerSettings()
        /// `log.recoverLimit`: missed messages given to a listener at once.
        package var recoverLimit = 1000
        /// Users watched by all connections of the node together; beyond them `watch` fails.
        package var maxWatched = 200_000
        /// `canary.interval`: how often the node sends itself a message through Redis; 0: never.
        package var canaryInterval: Duration = .seconds(5)
        /// Kept the same as all other nodes': whom the client port refuses.
        package var bannedAddresses = BannedAddresses()
        /// How often the node looks whether those have changed.
        package var banInterval: Duration = .seconds(1)
        /// Asked every few seconds, on a queue, who spends most on this node.
        package var spenders: @Sendable () -> [SpenderKind: [Spender]] = { [:] }
        package var spenderInterval: Duration = .seconds(5)
        /// How often the heads of followed rooms are renewed; they live an hour longer than their log, and those without
        /// messages, which are renewed six times as often, five minutes.
        package var renewalInterval: Duration = .seconds(600)
        /// Where messages on their way to Redis are counted.
        package var memory = MemoryAccount(budget: .max)
        /// Makes spans of the scripts that traced calls need; nil where none are made.
        package var tracer: (any Tracer)?

        package init(redis: RedisConfiguration, nodeId: String, version: String, rules: RoomRules) {
            self.redis = redis
            self.nodeId = nodeId
            self.version = version
            self.rules = rules
        }
    }

    package let messageLog: any MessageLog
    package let roomCourses: any RoomCourses
    package let messageErasure: any MessageErasure
    package let streams: any RoomStreams
    package let directory: any NodeDirectory
    package let presence: any Presence
    package let presenceDirectory: any PresenceDirectory
    package let eventLedger: any EventLedger
    package let webhookDirectory: any WebhookDirectory
    /// Whether this deployment gave out a session id.
    package let sessionCheck: SessionCheck
    package let addressBans: any AddressBans
    package let callLedger: any CallLedger
    package let connectionCloser: any ConnectionCloser
    package let roomGovernor: any RoomGovernor
    package let spenderDirectory: any SpenderDirectory
    /// May be replaced by such as keep rosters in the same rooms, and ask for no replica or archive where none was asked for.
    package let rules: Current<RoomRules>
    /// May be replaced by others where there are some, and by some.
    package let receivers: Current<[WebhookReceiver]>

    private let topology: TopologyWatch
    private let commands: RedisCommandLink
    /// For publishes that must be on a replica: WAIT holds up whatever stands behind it.
    private let replicated: RedisCommandLink?
    private let beats: RedisCommandLink
    private let coordination: RedisCommandLink
    private let subscriptions: Subscriptions
    private let router: Router
    let review: RedisRightsReview
    private let canaries: Canaries
    private let registrar: Registrar
    private let registry: PresenceRegistry
    private let coordinator: Coordinator
    private let banFeed: BanFeed
    private let spenderReporter: SpenderReporter
    private let health: Health
    private let memory: MemoryWatch
    private let store: Store
    private let renewalInterval: TimeAmount
    private let failures: AsyncStream<BackendStartError>
    /// What the node is to do with its clients while it cannot do its part; for one reader.
    package let reliefs: AsyncStream<Relief.Step>

    /// - Parameters:
    ///   - eventLoop: of commands, subscriptions, streams and registry.
    ///   - life: of the node's lease and of what it sweeps; no client's work may run there.
    ///   - load: asked at each beat, on `life`, for what the node says of itself.
    package init(
        configuration: Configuration, eventLoop: any EventLoop, life: any EventLoop, logger: Logger,
        metrics: any MetricsFactory, load: @escaping @Sendable () -> NodeLoad
    ) {
        let isSharded = configuration.redis.topology.isSharded
        let keys = Keys(
            prefix: configuration.prefix, database: configuration.redis.database, isSharded: isSharded)
        rules = Current(configuration.rules)
        receivers = Current(configuration.receivers)
        let names = NameSource()
        let counters = BackendCounters(factory: metrics)
        let (failures, failure) = AsyncStream.makeStream(
            of: BackendStartError.self, bufferingPolicy: .bufferingOldest(1))
        let health = Health(metrics: metrics)
        let seal = SessionSeal()
        let watch = ServerWatch { trouble in
            switch trouble {
            case nil: health.set(.servers, true)
            case .apart: health.set(.servers, false)
            case .unfit(let reason): health.set(.servers, false, because: reason)
            }
        }
        let (reliefs, relief) = AsyncStream.makeStream(of: Relief.Step.self)
        self.reliefs = reliefs
        var redis = configuration.redis
        redis.clientName = "martlet:\(configuration.nodeId)"
        let address = ShardAddress(of: redis.topology)
        let map = SlotMap()
        let servers = KnownServers(topology: redis.topology, address: address, health: health)
        let conductor = Conductor(
            health: health, servers: servers, seal: seal, watch: watch, lease: configuration.presence.lease,
            logger: logger, relieve: { relief.yield($0) }, fail: { failure.yield($0) })

        commands = RedisCommandLink(
            configuration: redis, address: address, map: map, slots: Keys.slots, eventLoop: eventLoop, logger: logger,
            scripts: Scripts.all, onState: conductor.commandLinkChanged, onServer: conductor.serverChanged,
            onStandstill: conductor.slotsStandStill)
        if configuration.rules.needReplicas {
            var redis = redis
            redis.confirmation = ReplicaConfirmation(timeout: redis.commandTimeout * 2 / 5)
            replicated = RedisCommandLink(
                configuration: redis, address: address, map: map, slots: Keys.slots, eventLoop: eventLoop,
                logger: logger, scripts: [Scripts.publish],
                onState: { conductor.otherLinkChanged(.replicated, $0) })
        } else {
            replicated = nil
        }
        var bound = redis
        bound.onAnotherServer = .fail
        var beating = bound
        beating.commandTimeout = configuration.presence.beatTimeout
        beating.quickConnectTimeout = configuration.presence.beatTimeout
        beats = RedisCommandLink(
            configuration: beating, address: address, map: map, slots: [Keys.indexSlot], eventLoop: life,
            logger: logger, scripts: [Scripts.beat], onState: { conductor.lifeLinkChanged(.beats, $0) },
            onServer: conductor.beatServerChanged)
        coordination = RedisCommandLink(
            configuration: bound, address: address, map: map, slots: Keys.slots, eventLoop: life, logger: logger,
            scripts: Scripts.coordination, onState: { conductor.lifeLinkChanged(.coordination, $0) },
            onServer: conductor.coordinationServerChanged)
        let times = ScriptTimes(of: Scripts.all, metrics: metrics)
        let clock = RedisClock()
        store = Store(link: commands, keys: keys, times: times, tracer: configuration.tracer)
        router = Router(
            loop: eventLoop, store: store, rules: rules, names: names, counters: counters,
            clock: clock, logger: logger,
            configuration: Router.Configuration(
                nodeId: configuration.nodeId, recoverLimit: configuration.recoverLimit,
                maxWatched: configuration.maxWatched, setBackGrace: configuration.presence.setBackGrace),
            onConnection: conductor.subscriptionChanged, onCanary: conductor.canaryReturned)
        if isSharded {
            subscriptions = .cluster(
                ClusterSubscriber(
                    configuration: redis, map: map, eventLoop: eventLoop, logger: logger, handler: router))
        } else {
            subscriptions = .single(
                RedisSubscriber(
                    configuration: redis, address: address, eventLoop: eventLoop, logger: logger, handler: router,
                    onState: { conductor.otherLinkChanged(.subscriptions, $0) }))
        }
        topology = TopologyWatch(
            of: redis, address: address, map: map, slots: Keys.slots, patience: configuration.presence.lease,
            eventLoop: life, logger: logger
        ) { [commands, replicated, beats, coordination, subscriptions] event in
            let links = [commands, replicated, beats, coordination].compactMap(\.self)
            switch event {
            case .moved, .mapped:
                for link in links { link.follow() }
                subscriptions.follow()
            case .identified(let place, let server, let asked):
                for link in links { link.verify(place, is: server, since: asked) }
                subscriptions.verify(place, is: server, since: asked)
            case .unwatched, .confirmed, .doubtful, .unknown, .refused: break
            }
            conductor.topologyChanged(event)
        }
        watch.prepare { [commands, replicated, beats, coordination, subscriptions] departure in
            switch departure.link {
            case .commands: commands.leave(departure.server)
            case .replicated: replicated?.leave(departure.server)
            case .beats: beats.leave(departure.server)
            case .coordination: coordination.leave(departure.server)
            case .subscriptions: subscriptions.leave(departure.server)
            }
        }
        canaries = Canaries(
            store: store, node: configuration.nodeId, names: names, interval: configuration.canaryInterval,
            logger: logger, metrics: metrics,
            renewSubscriptions: { [subscriptions] partition in
                subscriptions.renew(partition, reason: "what was published did not come over it")
            }, onSilence: conductor.canariesSilent, onBirth: conductor.partitionSaid)
        var settings = configuration.presence
        // Without receivers too: another node may have some, and what each node writes is trimmed by its own bound.
        settings.ledgerSize = configuration.webhookLedger.backlog
        if configuration.receivers.isEmpty { settings.idleLedger = configuration.webhookLedger }
        settings.ledgerBytes = configuration.webhookLedger.bytes
        let silent = SilentNodes()
        let writtenFormat = WrittenFormat()
        registrar = Registrar(
            store: Store(link: beats, keys: keys, times: times), nodeId: configuration.nodeId,
            instance: names.instance(),
            format: configuration.format, version: configuration.version, settings: settings, silent: silent,
            writtenFormat: writtenFormat, logger: logger, health: health, clock: clock, load: load,
            onEvent: conductor.registrarChanged)
        registry = PresenceRegistry(
            store: store, settings: settings, rules: configuration.rules, seal: seal, nodeId: configuration.nodeId,
            counters: counters, writtenFormat: writtenFormat,
            listeners: PresenceRegistry.Listeners(
                onFenced: conductor.fenced, onClose: router.close, onRegisteredAgain: router.compareInbox,
                streams: router))
        coordinator = Coordinator(
            store: Store(link: coordination, keys: keys, times: times), settings: settings,
            nodeId: configuration.nodeId, counters: counters, writtenFormat: writtenFormat, logger: logger)
        coordinator.onProblem = { health.refuseDuty($0) }
        router.onPutOut = { [registry] in registry.putOut($0) }
        router.onVacated = { [coordinator] in coordinator.vacated($0) }
        let assignments = LedgerAssignments()
        if !configuration.receivers.isEmpty { coordinator.onToken = assignments.changed }
        conductor.prepare(
            store: store, router: router, canaries: canaries, presence: registry, coordinator: coordinator,
            registrar: registrar, nodeId: configuration.nodeId, needsReplicas: configuration.rules.needReplicas)

        renewalInterval = TimeAmount(configuration.renewalInterval)
        self.health = health
        memory = MemoryWatch(
            store: store, budget: configuration.memoryBudget, logger: logger, metrics: metrics,
            servers: conductor.servesWhat)
        self.failures = failures
        let log = RedisMessageLog(
            store: store,
            replicated: replicated.map { Store(link: $0, keys: keys, times: times, tracer: configuration.tracer) },
            rules: rules, names: names, link: names.link(), replicatedLink: names.link(), counters: counters,
            failures: FailureLog(logger: logger), memory: memory,
            marks: SharedMarks(limit: configuration.maxMarksPerUser, life: DedupeMark.userLife),
            ledger: configuration.receivers.isEmpty
                ? nil
                : Publish.Bound(
                    entries: configuration.webhookLedger.backlog, bytes: configuration.webhookLedger.bytes),
            format: writtenFormat)
        messageLog = BoundedMessageLog(log, memory: configuration.memory)
        roomCourses = RedisRoomCourses(store: store)
        streams = router
        sessionCheck = { seal.proof(of: $0) }
        self.directory = RedisNodeDirectory(index: store, servers: servers, silent: silent)
        let search = ConnectionSearch(store: store, nodeId: configuration.nodeId, directory: self.directory)
        search.prepare(holds: registry.holds, close: router.close)
        router.search = search
        router.onVisibility = registry.visibilityChanged
        connectionCloser = search
        let review = RedisRightsReview(store: store, nodeId: configuration.nodeId, directory: self.directory)
        review.prepare(count: registry.count, tell: router.close)
        router.review = review
        self.review = review
        presence = registry
        let directory = RedisPresenceDirectory(store: store, settings: settings)
        presenceDirectory = directory
        let erasure = RedisMessageErasure(store: store, rules: rules, receivers: receivers, directory: directory)
        messageErasure = erasure
        roomGovernor = RedisRoomGovernor(
            store: store, rules: configuration.rules, settings: settings, link: names.link(), erasure: erasure)
        eventLedger = RedisEventLedger(
            store: store, assigned: assignments, names: names, settings: configuration.webhookLedger)
        webhookDirectory = RedisWebhookDirectory(store: store, receivers: receivers)
        banFeed = BanFeed(
            store: store, banned: configuration.bannedAddresses, interval: configuration.banInterval)
        addressBans = RedisAddressBans(store: store, onChange: banFeed.lookNow)
        callLedger = RedisCallLedger(store: store)
        spenderReporter = SpenderReporter(
            store: store, nodeId: configuration.nodeId, interval: configuration.spenderInterval,
            spenders: configuration.spenders)
        spenderDirectory = RedisSpenderDirectory(store: store, nodes: self.directory)
    }

    /// Where rooms' messages are found that their logs have let go of; before the first client.
    ///
    /// - Parameters:
    ///   - log: log and archive as one.
    ///   - limit: `archive.recoverLimit`, how many messages a listener may be behind.
    package func recover(from log: any MessageLog, limit: Int) {
        router.use(Past(log: log, limit: limit))
    }

    /// How long the others go on taking this node for alive if it beats no more.
    package var leaseLeft: Duration { health.leaseLeft(now: .now) }

    /// Nil where the node can serve, else what is missing.
    package var problem: String? { health.problem }

    /// What the node cannot do just now although it serves; nil where there is nothing of the kind.
    package var restriction: String? {
        let problems = [
            fullness, health.addressDoubt,
        ].compactMap { $0 }
        return problems.isEmpty ? nil : problems.joined(separator: "; ")
    }

    private var fullness: String? {
        let full = memory.full
        if full.isEmpty { return nil }
        let refusal = full == .all ? "messages" : "messages to \(full.count) of \(Partition.count) partitions"
        return "Redis is fuller than redis.budget allows: \(refusal) are refused"
    }

    /// Runs until the shutdown; while Redis is away it goes on trying.
    ///
    /// Throws `BackendStartError` where an operator must act.
    package func run() async throws {
        router.start(subscriptions.channels)
        canaries.start()
        topology.start()
        commands.start()
        replicated?.start()
        beats.start()
        coordination.start()
        subscriptions.start()
        registrar.start()
        registry.start()
        coordinator.start()
        memory.start()
        banFeed.start()
        spenderReporter.start()
        let renewal = commands.eventLoop.scheduleRepeatedTask(
            initialDelay: renewalInterval, delay: renewalInterval
        ) { [self] _ in renewHeads(.included) }
        let shortRenewal = commands.eventLoop.scheduleRepeatedTask(
            initialDelay: .nanoseconds(renewalInterval.nanoseconds / 6),
            delay: .nanoseconds(renewalInterval.nanoseconds / 6)
        ) { [self] _ in
            renewHeads(.leftOut)
            renewSettings()
        }

        var failure: BackendStartError?
        for await first in failures.cancelOnGracefulShutdown() {
            failure = first
            break
        }

        renewal.cancel()
        shortRenewal.cancel()
        memory.stop()
        banFeed.stop()
        spenderReporter.stop()
        canaries.stop()
        router.stop()
        // Departures under way are told, the partitions handed on, then the node leaves the index.
        try? await registry.stop(within: .seconds(1)).get()  // It only waits, and cannot fail.
        try? await coordinator.stop(within: .seconds(1)).get()  // Tokens that stay are void with the node's entry.
        try? await registrar.stop().get()  // Redis may be away: the lease then ends by itself.
        let links = [commands, replicated, beats, coordination].compactMap { $0?.shutdown() }
        for link in [topology.stop(), subscriptions.shutdown()] + links { try await link.get() }
        if let failure { throw failure }
    }

    /// Rooms that somebody is in are not forgotten. Settings that know no end by now are left alone.
    private func renewSettings() {
        router.expiringRooms { [store] rooms in
            for (room, life) in rooms { store.send(.prolong(store.keys.settings(of: room), life)) }
        }
    }

    /// Rooms that are followed keep their head, however quiet they are.
    private func renewHeads(_ written: WrittenHeads) {
        router.followedHeads(written) { [store] heads in
            for (_, rooms) in Dictionary(grouping: heads, by: { Partition(of: $0.room) }) {
                store.touch(rooms.map { (store.keys.head($0.room), $0.life) })
            }
        }
    }
}
