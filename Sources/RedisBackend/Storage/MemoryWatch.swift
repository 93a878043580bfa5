import Logging
import Metrics
import NIOCore
import RedisClient
import Synchronization

/// Asks Redis once a second how much of it is taken, sooner where this node writes much, and says whether messages may be
/// stored.
///
/// Read on every publish, on any thread. CONFIG is never called, since managed Redis forbids it: INFO tells all.
///
/// `@unchecked Sendable`: what is mutable without being atomic is touched on the link's loop only.
final class MemoryWatch: @unchecked Sendable {
    private static let interval = TimeAmount.seconds(1)

    private let store: Store
    private let slots: @Sendable () -> [KeySlot]
    private let logger: Logger
    private let used: Gauge
    private let allowed: Gauge
    private var gauge: MemoryGauge
    private var isAsking = false
    private var asking: RepeatedTask?
    private let isRefusing = Atomic<Bool>(false)
    /// Bytes sent since Redis was last asked.
    private let written = Atomic<Int>(0)
    /// Of how many it is asked before its time.
    private let room = Atomic<Int>(.max)

    private var loop: any EventLoop { store.link.eventLoop }

    /// - Parameter slots: one of each server; asked on the link's loop.
    init(
        store: Store, budget: MemoryBudget, logger: Logger, metrics: any MetricsFactory,
        slots: @escaping @Sendable () -> [KeySlot]
    ) {
        self.store = store
        self.slots = slots
        self.logger = logger
        gauge = MemoryGauge(budget: budget)
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

    /// Whether there is no room for messages.
    var isFull: Bool { isRefusing.load(ordering: .relaxed) }

    /// So many bytes are on their way to be stored.
    func record(_ bytes: Int) {
        let (before, after) = written.wrappingAdd(bytes, ordering: .relaxed)
        let room = room.load(ordering: .relaxed)
        guard before < room, after >= room else { return }
        loop.execute { [self] in ask() }
    }

    /// One server of each shard is asked; the fullest counts, since rooms lie anywhere.
    private func ask() {
        guard !isAsking, asking != nil else { return }
        let slots = slots().filter(store.link.isConnected)
        guard !slots.isEmpty else { return }
        isAsking = true
        written.store(0, ordering: .relaxed)
        let answers = slots.map { slot in
            let promise = loop.makePromise(of: MemoryUsage?.self)
            store.send(.info(.memory, of: slot)) { result in
                guard case .success(let info) = result else { return promise.succeed(nil) }
                promise.succeed(MemoryUsage(info: info))
            }
            return promise.futureResult
        }
        let budget = gauge.budget
        EventLoopFuture.whenAllSucceed(answers, on: loop).assumeIsolated().whenSuccess { [self] usages in
            isAsking = false
            if let fullest = usages.compactMap(\.self).min(by: { budget.rest($0) < budget.rest($1) }) { heard(fullest) }
        }
    }

    private func heard(_ usage: MemoryUsage) {
        let change = gauge.answered(usage)
        let limit = gauge.limit ?? 0
        isRefusing.store(gauge.isFull, ordering: .relaxed)
        room.store(gauge.room(usage), ordering: .relaxed)
        used.record(usage.used)
        allowed.record(limit)
        let figures: Logger.Metadata = ["used": "\(usage.used)", "budget": "\(limit)"]
        switch change {
        case .none: break
        case .filled:
            logger.warning("Redis is fuller than redis.budget allows: messages are refused", metadata: figures)
        case .emptied: logger.info("Redis has room again: messages are taken", metadata: figures)
        case .limitless:
            logger.warning(
                "Redis has no maxmemory, of which redis.budget could be a part: nothing is refused until the machine has no memory left"
            )
        }
    }
}
