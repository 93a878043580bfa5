import GatewayCore
import Logging
import Metrics
import NIOCore
import RedisClient
import Synchronization

/// Asks Redis once a second how much of it is taken, sooner where this node writes much, and says where messages may be
/// stored.
///
/// Read on every publish, on any thread. CONFIG is never called, since managed Redis forbids it: INFO tells all.
///
/// `@unchecked Sendable`: what is mutable without being atomic is touched on the link's loop only.
final class MemoryWatch: @unchecked Sendable {
    private static let interval = TimeAmount.seconds(1)

    private let store: Store
    private let servers: @Sendable () -> [(name: String, partitions: PartitionSet)]
    private let logger: Logger
    private let used: Gauge
    private let allowed: Gauge
    private var gauges: MemoryGauges
    private var isAsking = false
    private var asking: RepeatedTask?
    /// The bits of the partitions without room for messages.
    private let refusing = Atomic<UInt64>(0)
    /// Bytes sent since Redis was last asked.
    private let written = Atomic<Int>(0)
    /// Of how many it is asked before its time.
    private let room = Atomic<Int>(.max)

    private var loop: any EventLoop { store.link.eventLoop }

    /// - Parameter servers: what each server has; asked on the link's loop.
    init(
        store: Store, budget: MemoryBudget, logger: Logger, metrics: any MetricsFactory,
        servers: @escaping @Sendable () -> [(name: String, partitions: PartitionSet)]
    ) {
        self.store = store
        self.servers = servers
        self.logger = logger
        gauges = MemoryGauges(budget: budget)
        used = Gauge(label: "martlet_redis_memory_used_bytes", dimensions: [], factory: metrics)
        allowed = Gauge(label: "martlet_redis_memory_budget_bytes", dimensions: [], factory: metrics)
        used.record(0)
        allowed.record(0)
    }

    func start() {
        let loop = loop
        loop.execute { [self] in
            asking = loop.scheduleRepeatedTask(initialDelay: .zero, delay: MemoryWatch.interval) { _ in self.ask() }
        }
    }

    func stop() {
        loop.execute { [self] in
            asking?.cancel()
            asking = nil
        }
    }

    /// Where there is no room for messages.
    var full: PartitionSet { PartitionSet(bits: refusing.load(ordering: .relaxed)) }

    func isFull(_ room: RoomName) -> Bool {
        let full = full
        return !full.isEmpty && full.contains(Partition(of: room))
    }

    /// So many bytes are on their way to be stored.
    func record(_ bytes: Int) {
        let (before, after) = written.wrappingAdd(bytes, ordering: .relaxed)
        let room = room.load(ordering: .relaxed)
        guard before < room, after >= room else { return }
        loop.execute { [self] in ask() }
    }

    private func ask() {
        guard !isAsking, asking != nil else { return }
        let servers = servers()
        guard servers.contains(where: { $0.partitions.contains(where: store.isConnected) }) else { return }
        isAsking = true
        written.store(0, ordering: .relaxed)
        let answers = servers.map { server, partitions in
            let promise = loop.makePromise(of: MemoryGauges.Reading.self)
            @Sendable func read(_ usage: MemoryUsage?) {
                promise.succeed(MemoryGauges.Reading(server: server, partitions: partitions, usage: usage))
            }
            if let partition = partitions.first(where: store.isConnected) {
                store.send(.info(.memory, of: partition.slot)) { result in
                    read((try? result.get()).flatMap(MemoryUsage.init(info:)))
                }
            } else {
                read(nil)
            }
            return promise.futureResult
        }
        EventLoopFuture.whenAllSucceed(answers, on: loop).assumeIsolated().whenSuccess { [self] readings in
            isAsking = false
            heard(readings)
        }
    }

    private func heard(_ readings: [MemoryGauges.Reading]) {
        let changes = gauges.answered(readings)
        refusing.store(gauges.full.bits, ordering: .relaxed)
        room.store(gauges.room, ordering: .relaxed)
        if let fullest = gauges.fullest {
            used.record(fullest.usage.used)
            allowed.record(fullest.limit ?? 0)
        }
        for (reading, change) in changes { tell(reading, change) }
    }

    private func tell(_ reading: MemoryGauges.Reading, _ change: MemoryGauge.Change) {
        var figures: Logger.Metadata = ["used": "\(reading.usage?.used ?? 0)", "of": "\(reading.usage?.max ?? 0)"]
        if reading.partitions != .all {
            figures["server"] = "\(reading.server)"
            figures["partitions"] = "\(reading.partitions.count)"
        }
        switch change {
        case .none: break
        case .filled:
            logger.warning("Redis is fuller than redis.budget allows: messages are refused", metadata: figures)
        case .emptied: logger.info("Redis has room again: messages are taken", metadata: figures)
        case .limitless:
            logger.warning(
                "Redis has no maxmemory, of which redis.budget could be a part: nothing is refused until the machine has no memory left",
                metadata: figures)
        }
    }
}
