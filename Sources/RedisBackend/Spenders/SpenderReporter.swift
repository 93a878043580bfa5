import Dispatch
import GatewayCore
import NIOCore

/// Tells every few seconds who spends most on this node; summing that up takes a while, and is done on a queue of its own.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class SpenderReporter: @unchecked Sendable {
    /// A node that is gone is believed for so long.
    private static let life = Duration.seconds(15)

    private let store: Store
    private let nodeId: String
    private let spenders: @Sendable () -> [SpenderKind: [Spender]]
    private let interval: TimeAmount
    private let queue = DispatchQueue(label: "martlet.spenders")
    private var reporting: RepeatedTask?
    private var isUnderWay = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, nodeId: String, interval: Duration = .seconds(5),
        spenders: @escaping @Sendable () -> [SpenderKind: [Spender]]
    ) {
        self.store = store
        self.nodeId = nodeId
        self.interval = TimeAmount(interval)
        self.spenders = spenders
    }

    func start() {
        loop.execute { [self] in
            reporting = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in self.report() }
        }
    }

    func stop() {
        loop.execute { [self] in
            reporting?.cancel()
            reporting = nil
        }
    }

    private func report() {
        guard !isUnderWay else { return }
        isUnderWay = true
        queue.async { [self] in
            let text = SpenderReport.encode(spenders())
            loop.execute { self.write(text) }
        }
    }

    private func write(_ text: String) {
        // What was told before ends by itself.
        guard !text.isEmpty else { return isUnderWay = false }
        store.send(.write(text, to: store.keys.spenders(of: nodeId), life: SpenderReporter.life)) { [self] _ in
            isUnderWay = false
        }
    }
}
