import GatewayCore
import Logging
import Metrics
import NIOCore
import RedisClient

/// The canaries of a node: one for each server that has any partition, over the first that it has.
///
/// `@unchecked Sendable`: all mutable state is touched on the command link's loop only, which is the subscriptions' too.
final class Canaries: @unchecked Sendable {
    private struct Flight {
        let watch: CanaryWatch
        /// What comes over the same server.
        var partitions: PartitionSet
        var standing = Canary.Standing.well
    }

    private let store: Store
    private let node: String
    private let names: NameSource
    /// 0: there are none.
    private let interval: Duration
    private let logger: Logger
    private let age: Gauge
    private let renewSubscriptions: @Sendable (Partition) -> Void
    /// Told of the partitions whose canaries are out, and why the first of them is.
    private let onSilence: @Sendable (PartitionSet, String?) -> Void
    /// Told when the partition that one goes over says that it was born.
    private let onBirth: @Sendable (Partition, String) -> Void
    /// By the partition that each goes over.
    private var flights: [Partition: Flight] = [:]
    private var linked = PartitionSet.none
    private var aging: RepeatedTask?
    private var isStopped = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, node: String, names: NameSource, interval: Duration, logger: Logger,
        metrics: any MetricsFactory, renewSubscriptions: @escaping @Sendable (Partition) -> Void,
        onSilence: @escaping @Sendable (PartitionSet, String?) -> Void,
        onBirth: @escaping @Sendable (Partition, String) -> Void
    ) {
        self.store = store
        self.node = node
        self.names = names
        self.interval = interval
        self.logger = logger
        self.renewSubscriptions = renewSubscriptions
        self.onSilence = onSilence
        self.onBirth = onBirth
        age = Gauge(label: "martlet_canary_age_seconds", dimensions: [], factory: metrics)
        age.record(0)
    }

    func start() {
        let loop = loop
        loop.execute { [self] in
            guard interval > .zero else { return onSilence(.none, nil) }
            let tick = TimeAmount(interval / 5)
            aging = loop.scheduleRepeatedTask(initialDelay: .zero, delay: tick) { [self] _ in
                age.record(flights.values.map(\.watch.age).max() ?? 0)
            }
        }
    }

    func stop() {
        loop.execute { [self] in
            isStopped = true
            aging?.cancel()
            for flight in flights.values { flight.watch.stop() }
            flights = [:]
        }
    }

    /// The partitions, as they lie together on servers.
    func lie(_ groups: [PartitionSet]) {
        loop.assertInEventLoop()
        guard interval > .zero, !isStopped else { return }
        let wanted = Dictionary(
            uniqueKeysWithValues: groups.compactMap { group in
                // The one that was there already, where there is one: its canaries may be under way.
                (group.first { flights[$0] != nil } ?? group.first { _ in true }).map { ($0, group) }
            })
        for (partition, flight) in flights where wanted[partition] == nil {
            flight.watch.stop()
            flights[partition] = nil
        }
        for (partition, group) in wanted {
            flights[partition, default: begun(over: partition)].partitions = group
        }
        tell()
    }

    /// These are the partitions to which calls go out, and of which all that is published comes.
    func linksStand(in partitions: PartitionSet) {
        loop.assertInEventLoop()
        linked = partitions
        for (partition, flight) in flights { flight.watch.linksStand(partitions.contains(partition)) }
    }

    /// One came over a channel of the node.
    func returned(_ number: Int, to instance: String) {
        loop.assertInEventLoop()
        for flight in flights.values { flight.watch.returned(number, to: instance) }
    }

    private func begun(over partition: Partition) -> Flight {
        let watch = CanaryWatch(
            store: store, partition: partition, node: node, instance: names.instance(), interval: interval,
            logger: logger,
            onStanding: { [weak self] standing in self?.changed(partition, standing) },
            onBirth: { [onBirth] birth in onBirth(partition, birth) },
            renewSubscriptions: { [renewSubscriptions] in renewSubscriptions(partition) })
        let flight = Flight(watch: watch, partitions: .none)
        loop.execute { [self] in
            guard flights[partition]?.watch === watch else { return }
            watch.start()
            watch.linksStand(linked.contains(partition))
        }
        return flight
    }

    private func changed(_ partition: Partition, _ standing: Canary.Standing) {
        guard let flight = flights[partition], flight.standing != standing else { return }
        flights[partition]?.standing = standing
        tell()
    }

    private func tell() {
        var silent = PartitionSet.none
        var reason: String?
        for flight in flights.values {
            switch flight.standing {
            case .well: break
            case .awaited, .silent: silent.formUnion(flight.partitions)
            case .refused(let why):
                silent.formUnion(flight.partitions)
                reason = why
            }
        }
        onSilence(silent, reason)
    }
}
