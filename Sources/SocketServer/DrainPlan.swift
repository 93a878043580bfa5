import GatewayCore

/// A schedule by which the clients of a draining node come back, so that the other nodes are not stormed.
package struct DrainPlan: Sendable {
    /// Clients a second.
    package let perSecond: Int
    /// In milliseconds, how long it takes to send all of them.
    private let span: Int64

    /// - Parameters:
    ///   - rate: clients a second, where there is time enough.
    ///   - limit: how long the node waits for its clients; the last one is to come back within half of it.
    package init(connections: Int, rate: Int, limit: Duration) {
        let half = limit.milliseconds / 2
        let needed = half > 0 ? (Int64(connections) * 1000 + half - 1) / half : .max
        perSecond = max(1, rate, Int(clamping: needed))
        span = Int64(connections) * 1000 / Int64(perSecond)
    }

    /// How long a client is to wait: the one numbered `index`, from 0, of the `count` on one event loop.
    ///
    /// Each loop spreads its own over the whole time, so that one with more than its share keeps nobody beyond it.
    ///
    /// - Parameters:
    ///   - loop: the number of the event loop, from 0: between two clients of one come those of the others.
    ///   - loops: how many event loops there are.
    package func milliseconds(before index: Int, of count: Int, loop: Int = 0, loops: Int = 1) -> Int {
        guard count > 0 else { return 0 }
        return Int(clamping: span * Int64(index * loops + loop) / Int64(count * loops))
    }
}
