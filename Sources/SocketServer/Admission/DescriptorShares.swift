/// How the descriptors that the system grants are shared out, so that clients and backends, each within their own limit,
/// never take what the node needs itself: event loops, links to Redis, webhooks, hooks, key sets, files.
///
/// What clients leave goes by fifths: two to the api port, one to sockets that are only told "full", and half of one to
/// such as are on their way out.
package struct DescriptorShares: Hashable, Sendable {
    /// What clients leave at the least, or half where that is less.
    private static let leastReserve = 500
    private static let mostAPI = 1000
    private static let mostSpare = 250

    /// How many the system grants.
    package let limit: Int
    /// Connections of clients that the limit leaves room for.
    package let mostClients: Int
    /// Connections of clients.
    package let clients: Int
    /// Sockets on the client port beyond those; half as many again may be on their way out.
    package let spare: Int
    /// Connections of backends and probes.
    package let api: Int

    /// - Parameter wanted: connections of clients, cut to what the limit leaves; 0: as many as it does.
    package init(limit: Int, wanted: Int) {
        self.limit = max(1, limit)
        let reserve = min(DescriptorShares.leastReserve, self.limit - self.limit / 2)
        mostClients = max(1, self.limit - reserve)
        clients = wanted > 0 ? min(wanted, mostClients) : mostClients
        let left = self.limit - clients
        spare = min(DescriptorShares.mostSpare, left / 5)
        api = max(2, min(DescriptorShares.mostAPI, left / 5 * 2))
    }

    /// How many connections of clients there may be under other settings, while the api port keeps its share.
    package func clients(wanted: Int) -> Int {
        let anew = DescriptorShares(limit: limit, wanted: wanted)
        // The api port's share is two fifths of so many.
        return anew.api >= api ? anew.clients : max(clients, limit - api * 5 / 2)
    }
}
