import GatewayCore
import Logging
import NIOCore

/// Sends the canaries of one server, by one of its partitions, hears them come back, and has the subscriptions made anew
/// where they do not.
///
/// `@unchecked Sendable`: all mutable state is touched on the command link's loop only, which is the subscriptions' too.
final class CanaryWatch: @unchecked Sendable {
    private let store: Store
    /// Which of the node's channels it flies over.
    private let partition: Partition
    private let node: String
    /// Tells this process's from those of another that has the node's name.
    private let instance: String
    private let logger: Logger
    private let onStanding: @Sendable (Canary.Standing) -> Void
    /// Told when the partition says that it was born, with each that is sent.
    private let onBirth: @Sendable (String) -> Void
    private let renewSubscriptions: @Sendable () -> Void
    /// Nil once it has ended.
    private var canary: Canary?
    private var ticking: RepeatedTask?

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, partition: Partition, node: String, instance: String, interval: Duration, logger: Logger,
        onStanding: @escaping @Sendable (Canary.Standing) -> Void,
        onBirth: @escaping @Sendable (String) -> Void,
        renewSubscriptions: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.partition = partition
        self.node = node
        self.instance = instance
        self.logger = logger
        self.onStanding = onStanding
        self.onBirth = onBirth
        self.renewSubscriptions = renewSubscriptions
        canary = Canary(interval: interval)
    }

    /// Since when none came back, in seconds, while the node was awake.
    var age: Double { (canary?.age ?? .zero) / .seconds(1) }

    func start() {
        loop.assertInEventLoop()
        guard let canary else { return }
        let tick = TimeAmount(canary.tick)
        ticking = loop.scheduleRepeatedTask(initialDelay: .zero, delay: tick) { _ in self.ticked() }
    }

    func stop() {
        loop.assertInEventLoop()
        ticking?.cancel()
        ticking = nil
        canary = nil
    }

    /// Whether calls go out, and all that is published comes.
    func linksStand(_ stand: Bool) {
        loop.assertInEventLoop()
        perform { canary in
            if stand { return canary.linked() }
            canary.linkLost()
            return []
        }
    }

    /// One came over the node's channel.
    func returned(_ number: Int, to instance: String) {
        loop.assertInEventLoop()
        guard instance == self.instance else { return }
        perform { $0.returned(number) }
    }

    private func ticked() { perform { $0.ticked(now: .now) } }

    private func perform(_ change: (inout Canary) -> [Canary.Action]) {
        guard var canary else { return }
        let actions = change(&canary)
        self.canary = canary
        onStanding(canary.standing)
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

    private func send(_ number: Int) {
        let call = SendCanary(number, to: node, instance: instance, in: partition)
        store.call(call) { [self] result in
            if case .success(let answer) = result, self.canary != nil { onBirth(answer.birth) }
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
