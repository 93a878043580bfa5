import GatewayCore
import Logging
import Metrics
import NIOCore

/// Sends the canaries of one server, hears them come back, and has the subscriptions made anew where they do not.
///
/// `@unchecked Sendable`: all mutable state is touched on the command link's loop only, which is the subscriptions' too.
final class CanaryWatch: @unchecked Sendable {
    private let store: Store
    /// Which of the node's channels it flies over.
    private let partition: Partition
    private let node: String
    /// Tells this process's from those of another that has the node's name.
    private let instance: String
    private let health: Health
    private let logger: Logger
    private let age: Gauge
    private let renewSubscriptions: @Sendable () -> Void
    /// Nil where `canary.interval` is 0.
    private var canary: Canary?
    private var ticking: RepeatedTask?
    private var commandsStand = false
    private var subscriptionsStand = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, partition: Partition, node: String, instance: String, interval: Duration, health: Health,
        logger: Logger, metrics: any MetricsFactory, renewSubscriptions: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.partition = partition
        self.node = node
        self.instance = instance
        self.health = health
        self.logger = logger
        self.renewSubscriptions = renewSubscriptions
        age = Gauge(label: "martlet_canary_age_seconds", dimensions: [], factory: metrics)
        age.record(0)
        canary = interval > .zero ? Canary(interval: interval) : nil
        health.set(.canary, true)
    }

    func start() {
        let loop = loop
        loop.execute { [self] in
            guard let canary else { return }
            let tick = TimeAmount(canary.tick)
            ticking = loop.scheduleRepeatedTask(initialDelay: .zero, delay: tick) { _ in self.ticked() }
        }
    }

    func stop() {
        loop.execute { [self] in
            ticking?.cancel()
            ticking = nil
            canary = nil
        }
    }

    func commandsChanged(_ stand: Bool) {
        loop.assertInEventLoop()
        commandsStand = stand
        linksChanged()
    }

    func subscriptionsChanged(_ stand: Bool) {
        loop.assertInEventLoop()
        subscriptionsStand = stand
        linksChanged()
    }

    /// One came over the node's channel.
    func returned(_ number: Int, to instance: String) {
        loop.assertInEventLoop()
        guard instance == self.instance else { return }
        perform { $0.returned(number) }
    }

    private func linksChanged() {
        let areThere = commandsStand && subscriptionsStand
        perform { canary in
            if areThere { return canary.linked() }
            canary.linkLost()
            return []
        }
    }

    private func ticked() {
        perform { $0.ticked(now: .now) }
        age.record((canary?.age ?? .zero) / .seconds(1))
    }

    private func perform(_ change: (inout Canary) -> [Canary.Action]) {
        guard var canary else { return }
        let actions = change(&canary)
        self.canary = canary
        tell(canary.standing)
        for action in actions {
            switch action {
            case .send(let number): send(number)
            case .fellSilent:
                logger.error(
                    "What this node sends to itself through Redis does not come back: it may hear nothing of other nodes",
                    metadata: ["standing": "\(canary.standing)"])
            case .renewSubscriptions: renewSubscriptions()
            case .cameBack: logger.info("What this node sends to itself through Redis comes back again")
            }
        }
    }

    private func tell(_ standing: Canary.Standing) {
        switch standing {
        case .well: health.set(.canary, true)
        case .awaited, .silent: health.set(.canary, false)
        case .refused(let reason): health.set(.canary, false, because: reason)
        }
    }

    private func send(_ number: Int) {
        let call = SendCanary(number, to: node, instance: instance, in: partition)
        store.call(call) { [self] result in
            perform { canary in
                switch result {
                case .success: canary.sent(number)
                case .failure(.failed(.reply(_, let message))): return canary.refused(number, reason: message)
                // The link's to tell.
                case .failure: break
                }
                return []
            }
        }
    }
}
