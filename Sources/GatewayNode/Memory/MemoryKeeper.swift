import GatewayCore
import Logging
import Metrics
import NIOPosix
import ServiceLifecycle

/// Tells the metrics what is held, and has memory given back to the system after a peak; every few seconds, on a thread
/// that serves nobody.
struct MemoryKeeper: Service {
    private static let interval = Duration.seconds(5)

    private let account: MemoryAccount
    private let logger: Logger
    private let held: [(kind: MemoryAccount.Kind, gauge: Gauge)]
    /// Two of them under names of their own, as what clients are waiting for.
    private let outbound: Gauge
    private let catchUps: Gauge
    private let trims: Counter

    init(account: MemoryAccount, metrics: any MetricsFactory, logger: Logger) {
        self.account = account
        self.logger = logger
        held = MemoryAccount.Kind.allCases.map {
            ($0, Gauge(label: "martlet_memory_held_bytes", dimensions: [("kind", $0.rawValue)], factory: metrics))
        }
        outbound = Gauge(label: "martlet_outbound_queue_bytes", factory: metrics)
        catchUps = Gauge(label: "martlet_catch_up_bytes", factory: metrics)
        trims = Counter(label: "martlet_memory_trims_total", factory: metrics)
        Gauge(label: "martlet_memory_budget_bytes", factory: metrics).record(account.budget)
    }

    func run() async throws {
        var rule = TrimRule()
        let ticks = AsyncStream<Void>(unfolding: {
            // It ends early where the task is cancelled, and then the stream does.
            try? await Task.sleep(for: MemoryKeeper.interval)
            return Task.isCancelled ? nil : ()
        })
        for await _ in ticks.cancelOnGracefulShutdown() {
            for (kind, gauge) in held { gauge.record(account.held(kind)) }
            outbound.record(account.held(.sockets))
            catchUps.record(account.held(.catchUps))
            guard let resident = MachineMemory.resident, rule.looked(residentBytes: resident) else { continue }
            try await NIOThreadPool.singleton.runIfActive { MachineMemory.trim() }
            let left = MachineMemory.resident ?? resident
            rule.trimmed(residentBytes: left)
            trims.increment()
            logger.debug("memory given back", metadata: ["before": "\(resident)", "after": "\(left)"])
        }
    }
}
