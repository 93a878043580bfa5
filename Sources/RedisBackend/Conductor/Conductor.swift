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
    let health: Health
    let servers: KnownServers
    let seal: SessionSeal
    private let watch: ServerWatch
    let logger: Logger
    private let relieve: @Sendable (Relief.Step) -> Void
    let fail: @Sendable (BackendStartError) -> Void
    /// On the life's loop only.
    private var relief: Relief
    /// Of a Cluster: where beats go, the servers that their links lead to, and the one of these that has the index; on the
    /// life's loop only.
    var beatPlace: RedisConfiguration.Endpoint?
    var beatServers: [RedisConfiguration.Endpoint: ServerID] = [:]
    var beatServer: ServerID?
    /// The servers of a Cluster that the coordinator's links lead to; on the life's loop only.
    var coordinating: Set<RedisConfiguration.Endpoint> = []
    var store: Store?
    var router: Router?
    var canaries: Canaries?
    var presence: PresenceRegistry?
    var coordinator: Coordinator?
    var registrar: Registrar?
    /// Of a Cluster; of a server by itself its link tells all.
    var standings = PartitionStandings()
    /// When all that lies in a partition of a Cluster began, as it said.
    var births: [Partition: String] = [:]
    /// Partitions whose channels come in, and those whose canaries are out.
    var subscribed = PartitionSet.none, silent = PartitionSet.none
    /// Those whose slots are on the move for long.
    var halted = PartitionSet.none
    /// Whether a part has become another while the index was away.
    var mustRenounce = false
    /// Since when the index is away, if it is.
    var indexLost: MonotonicTime?
    private var incarnation: Int64?
    /// How often Redis was set back under one identity, as the partitions were told.
    private(set) var round: Int64 = 0
    /// How often Redis's clock has stepped, as was acted upon.
    private var steps = 0
    private var nodeId = ""
    var needsReplicas = false
    var hasChecked = false
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
        case .unwatched:
            registrar?.watchReplicas()
            health.set(.address, true)
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
            health.set(.commands, false, because: reason)
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

    func linksChanged(commands: PartitionSet) {
        commanded = commands
        canaries?.linksStand(in: commands.intersection(subscribed))
        countAnswering()
    }

    func countAnswering() {
        health.count(answering: commanded.intersection(subscribed).subtracting(silent).subtracting(halted).count)
    }

    /// Closes the epochs of all these partitions at once, so that no quiet one is passed over by a second change.
    func meet(_ partitions: PartitionSet, round: Int64 = 0) {
        guard let store else { return }
        for partition in partitions {
            store.call(MeetServer(in: partition, round: round)) { [self] result in
                if case .success(let met) = result { partitionSaid(partition, born: met.birth) }
            }
        }
    }

    func meetAnother(_ partitions: PartitionSet) {
        logger.warning(
            "This is another Redis than before: all rooms there are compared with it",
            metadata: ["partitions": "\(partitions.count)"])
        beginAnew(in: partitions)
    }

    /// Compares all that lies in these partitions and registers it again.
    func beginAnew(in partitions: PartitionSet) {
        router?.compareAll(partitions)
        // What this one remembers of the node may be older than what the node knows, or newer than the truth. Without the
        // index there is no other incarnation: until then the node goes on under this one.
        mustRenounce = indexLost != nil
        if !mustRenounce { renounce() }
    }

    func renounce() {
        mustRenounce = false
        presence?.lost()
        if let incarnation { registrar?.renounce(incarnation) }
    }

    /// Redis is what it was at an earlier time, though no link and no identity says so; or the node has just come, and the
    /// partitions know.
    private func meetSetBack(round: Int64, isFirst: Bool) {
        self.round = round
        if !isFirst { births = [:] }
        meet(.all, round: round)
        guard !isFirst else { return }
        logger.warning("Redis was set back: all rooms are compared with it")
        router?.compareAll()
    }

    /// Reads what all nodes sign session ids with.
    func agreeOnSessions() {
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

    /// Says what the node stands on now.
    func describeServer() {
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
}
