import GatewayCore
import Logging
import NIOCore
import RedisClient

/// Hears what happens to the links and the registration, and does what follows from it.
///
/// The command link and the subscriptions tell it on their one loop, the registrar on the life's, which the coordinator
/// shares.
///
/// `@unchecked Sendable`: `prepare` comes before the links start; what changes later is touched on the command link's
/// loop only, or on the life's where that is said.
final class Conductor: @unchecked Sendable {
    private let health: Health
    private let servers: KnownServers
    private let seal: SessionSeal
    private let watch: ServerWatch
    private let logger: Logger
    private let relieve: @Sendable (Relief.Step) -> Void
    private let fail: @Sendable (BackendStartError) -> Void
    /// On the life's loop only.
    private var relief: Relief
    /// Of a Cluster: where beats go, the servers that their links lead to, and the one of these that has the index; on the
    /// life's loop only.
    private var beatPlace: RedisConfiguration.Endpoint?
    private var beatServers: [RedisConfiguration.Endpoint: ServerID] = [:]
    private var beatServer: ServerID?
    /// The servers of a Cluster that the coordinator's links lead to; on the life's loop only.
    private var coordinating: Set<RedisConfiguration.Endpoint> = []
    private var store: Store?
    private var router: Router?
    private var canaries: Canaries?
    private var presence: PresenceRegistry?
    private var coordinator: Coordinator?
    private var registrar: Registrar?
    /// Of a Cluster; of a server by itself its link tells all.
    private var standings = PartitionStandings()
    /// Partitions whose channels come in, and those whose canaries are out.
    private var subscribed = PartitionSet.none, silent = PartitionSet.none
    /// Whether a part has become another while the index was away.
    private var mustRenounce = false
    /// Since when the index is away, if it is.
    private var indexLost: MonotonicTime?
    private var incarnation: Int64?
    /// How often Redis was set back under one identity, as the partitions were told.
    private var round: Int64 = 0
    /// How often Redis's clock has stepped, as was acted upon.
    private var steps = 0
    private var nodeId = ""
    private var needsReplicas = false
    private var hasChecked = false
    /// Whether it was said that the key of session ids cannot be read; until it is read again.
    private var hasToldOfMissingKey = false

    init(
        health: Health, servers: KnownServers, seal: SessionSeal, watch: ServerWatch, lease: Duration, logger: Logger,
        relieve: @escaping @Sendable (Relief.Step) -> Void, fail: @escaping @Sendable (BackendStartError) -> Void
    ) {
        self.health = health
        self.servers = servers
        self.seal = seal
        self.watch = watch
        self.logger = logger
        self.relieve = relieve
        self.fail = fail
        relief = Relief(lease: lease.milliseconds)
    }

    /// Completes the circle: the links need somebody to tell, and what is told needs the links.
    func prepare(
        store: Store, router: Router, canaries: Canaries, presence: PresenceRegistry, coordinator: Coordinator,
        registrar: Registrar, nodeId: String, needsReplicas: Bool
    ) {
        self.store = store
        self.router = router
        self.canaries = canaries
        self.presence = presence
        self.coordinator = coordinator
        self.registrar = registrar
        self.nodeId = nodeId
        self.needsReplicas = needsReplicas
    }

    /// Where the primary is; on the life's loop.
    func topologyChanged(_ event: TopologyWatch.Event) {
        switch event {
        case .moved:
            health.set(.address, true)
        case .mapped(let table):
            health.set(.address, true)
            health.set(.servers, true)
            beatPlace = table[Keys.indexSlot]
            beatsFollow()
            store?.link.eventLoop.execute { [self] in mapped(table) }
        case .identified:
            break
        case .confirmed(let end):
            registrar?.primaryConfirmed(until: end)
            health.set(.address, true)
            health.doubtAddress(nil)
        case .doubtful(let reason):
            health.doubtAddress(reason)
        case .unknown(let reason):
            health.set(.address, false, because: reason)
        case .refused(let reason):
            health.set(.address, false, because: reason)
            fail(.noPrimary(reason))
        }
    }

    func commandLinkChanged(_ state: RedisLinkState) {
        watch.changed(.commands, state)
        switch state {
        case .connected(let server, _, let previous):
            health.set(.commands, true)
            logger.info("Redis is reached")
            // First of all: whoever is registered behind it is told an id with a seal.
            agreeOnSessions()
            check()
            if server != previous {
                describeServer()
                meet(.all)
                if previous != nil { meetAnother(.all) }
            }
            presence?.linked(.all)
            canaries?.lie([.all])
            linksChanged(commands: .all)
        case .disconnected(let reason):
            health.set(.commands, false)
            presence?.linkLost(.all)
            linksChanged(commands: .none)
            logger.warning("Redis is not reached", metadata: ["reason": "\(reason)"])
        case .unfit(let reason):
            health.set(.commands, false, because: reason)
            presence?.linkLost(.all)
            logger.warning("Redis cannot serve this node", metadata: ["reason": "\(reason)"])
        case .refused(let message):
            health.set(.commands, false, because: message)
            if hasChecked {
                logger.error("Redis refuses the connection", metadata: ["reason": "\(message)"])
            } else {
                fail(.refused(message))
            }
        }
    }

    /// The beat's link and the coordinator's; on the life's loop. What is known of the dead, and which partitions are this
    /// node's, was another server's word.
    func lifeLinkChanged(_ link: ServerIdentity.Link, _ state: RedisLinkState) {
        watch.changed(link, state)
        guard case .connected(let server, _, let previous) = state else {
            if link == .coordination { health.set(.coordination, false) }
            return
        }
        if link == .coordination { health.set(.coordination, true) }
        if let previous, previous != server { coordinator?.lost() }
        if link == .beats { registrar?.linked(to: server) }
    }

    /// A beat's link to a server of a Cluster that has, or had, the index; on the life's loop.
    func beatServerChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        if case .connected(let server, _, _) = state { beatServers[place] = server } else { beatServers[place] = nil }
        beatsFollow()
    }

    /// Beats go to the server that has the index by now, which a link may have led to all the while.
    private func beatsFollow() {
        guard let server = beatPlace.flatMap({ beatServers[$0] }) else { return beatServer = nil }
        guard server != beatServer else { return }
        beatServer = server
        coordinator?.lost()
        registrar?.linked(to: server)
    }

    /// A link of the coordinator to a server of a Cluster; on the life's loop.
    func coordinationServerChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        if case .connected = state { coordinating.insert(place) } else { coordinating.remove(place) }
        health.set(.coordination, !coordinating.isEmpty)
    }

    /// The subscriptions' link, and that of replicated publishes.
    func otherLinkChanged(_ link: ServerIdentity.Link, _ state: RedisLinkState) {
        watch.changed(link, state)
    }

    /// Tells the coordinator, which is on the registrar's loop, and hops once for all others. They may be held up: a
    /// registry that hears of no beat writes nothing, so what it hears late does no harm.
    func registrarChanged(_ event: Registrar.Event) {
        switch event {
        case .registered:
            health.set(.registration, true)
        case .beat(let index, let sent):
            // Its clients are well served by a node that only may not do what it has to do for all.
            let isServing = health.isAble && health.dutyProblem != nil
            let step = relief.beaten(
                isServing ? .able : index.word(of: nodeId), isAnotherAble: index.isAnotherAble(than: nodeId),
                now: sent.milliseconds)
            if let step { relieve(step) }
            // While the links lead to different servers, one server's index is not to be swept by over another's.
            if watch.isOne { coordinator?.beaten(index) } else { coordinator?.lost() }
        case .moved:
            logger.warning("Redis has become another server under its links: they are made anew")
            coordinator?.lost()
            watch.changed(under: .beats)
        case .lost:
            health.set(.registration, false)
            coordinator?.lost()
        case .refused:
            health.set(.registration, false)
            coordinator?.lost()
            fail(.nameTaken(nodeId: nodeId))
        case .foreign(let refusal):
            health.set(.registration, false)
            coordinator?.lost()
            if let store { fail(.foreign(prefix: store.keys.prefix, refusal)) }
        }
        store?.link.eventLoop.execute { [self] in heard(event) }
    }

    private func heard(_ event: Registrar.Event) {
        switch event {
        case .registered(let given, let told, let sent):
            let isFirst = incarnation == nil
            incarnation = given
            if told != round { meetSetBack(round: told, isFirst: isFirst) }
            presence?.registered(given, sent: sent)
        case .beat(let index, let sent):
            if index.clock.steps != steps {
                steps = index.clock.steps
                router?.compareAll()
                presence?.clockStepped()
            }
            presence?.beaten(sent: sent, marks: index.marks)
        case .lost:
            // Redis is there and has forgotten the node: it may have forgotten the rooms as well, and the key.
            agreeOnSessions()
            router?.compareAll()
            presence?.lost()
        case .moved:
            // All that follows from it begins with the new links.
            break
        case .refused, .foreign:
            presence?.lost()
        }
    }

    /// A partition has declared this incarnation dead.
    func fenced(_ incarnation: Int64, at fence: Int64) {
        registrar?.renounce(incarnation, fence: fence)
    }

    func subscriptionChanged(_ partitions: PartitionSet, isConnected: Bool) {
        if isConnected { subscribed.formUnion(partitions) } else { subscribed.subtract(partitions) }
        // Before the links count as whole: one that is awaited is to be seen as such.
        linksChanged(commands: commanded)
        health.set(.subscriptions, subscribed.isMost)
        // What was said over the node's channels meanwhile was lost.
        if isConnected { presence?.channelsRenewed(partitions) }
    }

    /// What this node, or another of its name, sent to itself came over the subscriptions.
    func canaryReturned(_ number: Int, to instance: String) {
        canaries?.returned(number, to: instance)
    }

    /// The canaries of these partitions are out; on the command link's loop.
    func canariesSilent(_ partitions: PartitionSet, reason: String?) {
        silent = partitions
        countAnswering()
        health.set(.canary, PartitionSet.all.subtracting(silent).isMost, because: reason)
        judge()
    }

    /// Partitions to which commands go out.
    private var commanded = PartitionSet.none

    private func linksChanged(commands: PartitionSet) {
        commanded = commands
        canaries?.linksStand(in: commands.intersection(subscribed))
        countAnswering()
    }

    private func countAnswering() {
        health.count(answering: commanded.intersection(subscribed).subtracting(silent).count)
    }

    /// Closes the epochs of all these partitions at once, so that no quiet one is passed over by a second change.
    private func meet(_ partitions: PartitionSet) {
        guard let store else { return }
        for partition in partitions {
            store.call(MeetServer(in: partition)) { _ in }
        }
    }

    private func meetAnother(_ partitions: PartitionSet) {
        logger.warning(
            "This is another Redis than before: all rooms there are compared with it",
            metadata: ["partitions": "\(partitions.count)"])
        router?.compareAll(partitions)
        // What this one remembers of the node may be older than what the node knows, or newer than the truth. Without the
        // index there is no other incarnation: until then the node goes on under this one.
        mustRenounce = indexLost != nil
        if !mustRenounce { renounce() }
    }

    private func renounce() {
        mustRenounce = false
        presence?.lost()
        if let incarnation { registrar?.renounce(incarnation) }
    }

    /// Redis is what it was at an earlier time, though no link and no identity says so; or the node has just come, and the
    /// partitions know.
    private func meetSetBack(round: Int64, isFirst: Bool) {
        guard let store else { return }
        self.round = round
        for partition in Partition.all {
            store.call(MeetServer(in: partition, round: round)) { _ in }
        }
        guard !isFirst else { return }
        logger.warning("Redis was set back: all rooms are compared with it")
        router?.compareAll()
    }

    /// Reads what all nodes sign session ids with.
    private func agreeOnSessions() {
        guard let store else { return }
        store.call(Agree(on: .sessionKey, proposal: seal.proposal)) { [self] result in
            switch result {
            case .success(let key):
                hasToldOfMissingKey = false
                guard !seal.agreed(on: key) else { return }
                logger.warning("The key of session ids is another release's: sessions end with their connections")
            case .failure(let error):
                // The link may be down again: then its return asks.
                guard store.isIndexConnected, !isEnded(by: error) else { return }
                tellOfMissingKey(error)
                store.link.eventLoop.scheduleTask(in: .seconds(1)) { [self] in
                    if store.isIndexConnected { agreeOnSessions() }
                }
            }
        }
    }

    /// Once, not at each of the attempts, which go on for as long as Redis refuses.
    private func tellOfMissingKey(_ error: CallError) {
        guard !hasToldOfMissingKey else { return }
        hasToldOfMissingKey = true
        logger.warning(
            "Redis does not give the key of session ids: it is asked again each second",
            metadata: ["reason": "\(error)"])
    }

    /// Whether the start is over, since Redis denies a right that no node can do without; one that has started waits for an
    /// operator.
    private func isEnded(by error: CallError) -> Bool {
        guard !hasChecked, let denial = error.denial else { return false }
        fail(.refused(denial))
        return true
    }

    /// Says what the node stands on now.
    private func describeServer() {
        store?.send(.info(.server)) { [self] result in
            guard case .success(let info) = result else { return }
            servers.met(info)
            guard let found = servers.description else { return }
            logger.info(
                "The node stands on this",
                metadata: [
                    "kind": "\(found.kind)", "version": "\(found.version)", "topology": "\(found.topology)",
                    "addresses": "\(found.shards.map(\.address).joined(separator: " "))",
                ])
        }
    }

    private func check() {
        guard let store, !hasChecked else { return }
        store.send(.info(.server)) { [self] result in
            guard case .success(let info) = result else {
                if store.isIndexConnected { store.link.eventLoop.scheduleTask(in: .seconds(1)) { self.check() } }
                return
            }
            let version = info.infoField("redis_version") ?? "unknown"
            guard let major = Int(version.prefix { $0 != "." }), major >= 7 else {
                return fail(.tooOld(version: version))
            }
            checkMemoryPolicy(store)
            if needsReplicas { checkReplicas(store) }
            finishChecks(store)
        }
    }

    /// Under any other policy Redis may drop what was promised to be kept.
    private func checkMemoryPolicy(_ store: Store) {
        store.send(.info(.memory)) { [self] result in
            guard case .success(let info) = result, let policy = info.infoField("maxmemory_policy"),
                policy != "noeviction"
            else { return }
            logger.warning(
                "Redis evicts keys when it is full, which breaks promises; set maxmemory-policy noeviction",
                metadata: ["policy": "\(policy)"])
        }
    }

    /// Without a replica no publish to a room with `durability: replicated` is acknowledged.
    private func checkReplicas(_ store: Store) {
        store.send(.info(.replication)) { [self] result in
            guard case .success(let info) = result, info.infoField("connected_slaves") == "0" else { return }
            logger.warning(
                "Redis has no replica: publishes with durability replicated fail as unavailable until it has one")
        }
    }

    /// Done once the key of session ids is read as well, which a full Redis may not have taken yet.
    private func finishChecks(_ store: Store) {
        // What scripts do as well: asked for by itself, its denial names the right that is lacking.
        store.send(.field("format", of: store.keys.deployment)) { [self] result in
            if case .failure(let error) = result, isEnded(by: error) { return }
            // A server of a Cluster may stand and refuse all; nothing else asks again then.
            guard case .success = result, seal.isResolved else {
                store.link.eventLoop.scheduleTask(in: .seconds(1)) { self.finishChecks(store) }
                return
            }
            hasChecked = true
            health.set(.checks, true)
        }
    }
}

/// What a Cluster's servers and the map of its slots tell; on the command link's loop.
extension Conductor {
    private func mapped(_ table: SlotTable) {
        apply(standings.mapped(table))
        canaries?.lie(standings.groups.map(\.partitions))
        judge()
    }

    /// A command link to one of the servers.
    func serverChanged(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        switch state {
        case .connected(let server, _, _): apply(standings.connected(place, to: server))
        case .disconnected, .unfit: apply(standings.disconnected(place))
        case .refused(let message):
            logger.error(
                "A server of the Cluster refuses the connection",
                metadata: ["server": "\(place)", "reason": "\(message)"])
            apply(standings.disconnected(place))
        }
    }

    private func apply(_ change: PartitionStandings.Change) {
        guard !change.isEmpty else { return }
        if !change.lost.isEmpty {
            logger.warning(
                "A part of the Cluster is not reached", metadata: ["partitions": "\(change.lost.count)"])
            presence?.linkLost(change.lost)
        }
        // First of all: whoever is registered behind it is told an id with a seal.
        if let arrival = change.index { indexStands(arrival) }
        if change.hasLostIndex { indexLost = .now }
        var arrived = PartitionSet.none
        for (arrival, partitions) in change.stands {
            arrived.formUnion(partitions)
            switch arrival {
            case .same: break
            case .first: meet(partitions)
            case .moved:
                meet(partitions)
                router?.compareAll(partitions)
            case .another:
                meet(partitions)
                meetAnother(partitions)
            }
        }
        if !arrived.isEmpty {
            logger.info("A part of the Cluster is reached", metadata: ["partitions": "\(arrived.count)"])
            presence?.linked(arrived)
        }
        linksChanged(commands: standings.standing)
        judge()
    }

    /// A slot of each server; on the command link's loop.
    func oneSlotOfEach() -> [KeySlot] {
        let groups = standings.groups
        guard !groups.isEmpty else { return [Keys.indexSlot] }
        return groups.compactMap { group in group.partitions.first { _ in true }?.slot }
    }

    private func indexStands(_ arrival: PartitionStandings.Arrival) {
        indexLost = nil
        agreeOnSessions()
        check()
        if arrival != .same { describeServer() }
        if mustRenounce { renounce() }
    }

    /// Of a Cluster the node needs most partitions, and the index, or not to have been without it for long.
    private func judge() {
        guard !standings.groups.isEmpty else { return }
        let answering = standings.standing.subtracting(silent)
        servers.lie(
            standings.groups.map { place, partitions in
                StoreDescription.Shard(
                    address: "\(place)", partitions: partitions.count,
                    answers: partitions.subtracting(answering).isEmpty)
            })
        guard standings.standing.isMost else {
            return health.set(
                .commands, false, because: "\(standings.standing.count) of \(Partition.count) partitions answer")
        }
        guard let indexLost else { return health.set(.commands, standings.hasIndex) }
        let rest = Conductor.indexPatience - (MonotonicTime.now - indexLost)
        health.set(
            .commands, rest > .zero, because: rest > .zero ? nil : "the shard of the node index does not answer")
        guard rest > .zero, let loop = store?.link.eventLoop else { return }
        loop.scheduleTask(in: TimeAmount(rest) + .milliseconds(1)) { [self] in
            if self.indexLost == indexLost { judge() }
        }
    }

    /// For how long a node is ready without the shard of the node index.
    private static let indexPatience = Duration.seconds(30)
}
