import GatewayCore

/// When each client of a draining node is to come back, so that the other nodes are not stormed.
package struct DrainPlan: Sendable {
    /// Clients a second.
    package let perSecond: Int

    /// - Parameters:
    ///   - rate: clients a second, where there is time enough.
    ///   - limit: how long the node waits for its clients; the last one is to come back within half of it.
    package init(connections: Int, rate: Int, limit: Duration) {
        let half = limit.milliseconds / 2
        let needed = half > 0 ? (Int64(connections) * 1000 + half - 1) / half : .max
        perSecond = max(1, rate, Int(clamping: needed))
    }

    /// How long the client with this number, from 0, is to wait.
    package func milliseconds(before index: Int) -> Int {
        Int(clamping: Int64(index) * 1000 / Int64(perSecond))
    }
}
