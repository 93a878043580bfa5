import Synchronization

/// The address of a shard's primary: one value, from which all links of a node to that shard learn where to dial.
package final class ShardAddress: Sendable {
    private let place: Mutex<RedisConfiguration.Endpoint?>

    /// Known from the start where it is always the same.
    package init(of topology: Topology) {
        switch topology {
        case .single(let endpoint): place = Mutex(endpoint)
        case .sentinel, .cluster: place = Mutex(nil)
        }
    }

    /// One that never changes.
    init(at endpoint: RedisConfiguration.Endpoint) { place = Mutex(endpoint) }

    /// Nil until it is known; any thread.
    package var current: RedisConfiguration.Endpoint? { place.withLock { $0 } }

    /// Links go there with their next attempt, and at once where they are told to follow.
    func move(to endpoint: RedisConfiguration.Endpoint) {
        place.withLock { $0 = endpoint }
    }
}
