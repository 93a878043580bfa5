import GatewayCore
import RedisClient
import Synchronization

/// What this node knows of the servers that it stands on; any thread.
final class KnownServers: Sendable {
    private struct Software {
        let kind: StoreDescription.Kind
        let version: String
    }

    private let topology: Topology
    private let address: ShardAddress
    private let health: Health
    private let software = Mutex<Software?>(nil)
    /// Of a Cluster.
    private let shards = Mutex<[StoreDescription.Shard]>([])

    init(topology: Topology, address: ShardAddress, health: Health) {
        self.topology = topology
        self.address = address
        self.health = health
    }

    /// A server that was not met before has said what it is.
    ///
    /// - Parameter info: its answer to `INFO server`. Valkey says there what it is like, too: a Redis 7.2.
    func met(_ info: String) {
        let valkey = info.infoField("valkey_version")
        let version = valkey ?? info.infoField("redis_version") ?? "unknown"
        software.withLock { $0 = Software(kind: valkey == nil ? .redis : .valkey, version: version) }
    }

    /// The shards of a Cluster are these by now.
    func lie(_ found: [StoreDescription.Shard]) { shards.withLock { $0 = found } }

    /// Nil until a server was met.
    var description: StoreDescription? {
        guard let software = software.withLock({ $0 }) else { return nil }
        var found = shards.withLock { $0 }
        if let place = address.current {
            found = [
                StoreDescription.Shard(
                    address: "\(place)", partitions: Partition.count, answers: health.isAnswering)
            ]
        }
        guard !found.isEmpty else { return nil }
        return StoreDescription(
            kind: software.kind, version: software.version, topology: topology.name, shards: found)
    }
}
