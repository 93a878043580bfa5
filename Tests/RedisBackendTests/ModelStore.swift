import TestKit

/// The Redis of a run: two servers of which one is the primary, or a Cluster of three shards with a replica each.
enum ModelStore {
    case oneServer(ModelServers)
    case cluster(ClusterGroup)

    static func start(_ kind: PresenceModelTests.Store) async throws -> ModelStore {
        switch kind {
        case .oneServer: return .oneServer(try await ModelServers())
        case .cluster:
            var options = ClusterGroup.Options()
            // So long that a busy machine promotes no replica.
            options.nodeTimeout = .seconds(3)
            options.isSeverable = true
            options.namesHosts = false
            return .cluster(try await ClusterGroup.start(options))
        }
    }

    /// How whoever looks on reaches the primary, or the primaries, whichever they are.
    var url: String {
        switch self {
        case .oneServer(let servers): servers.url
        case .cluster(let group): group.url
        }
    }

    /// What a node that starts now stands on.
    var ground: any NodeGround {
        switch self {
        case .oneServer(let servers): servers.primary
        case .cluster(let group): group
        }
    }

    /// All that has to stand still for nothing to be answered.
    var processes: [RedisServerProcess] {
        switch self {
        case .oneServer(let servers): [servers.primary]
        case .cluster(let group): group.servers.map(\.process)
        }
    }

    /// For a move of such a run.
    var servers: ModelServers {
        guard case .oneServer(let servers) = self else { preconditionFailure("this is a Cluster") }
        return servers
    }

    /// For a move of such a run.
    var group: ClusterGroup {
        guard case .cluster(let group) = self else { preconditionFailure("this is no Cluster") }
        return group
    }

    func stop() async throws {
        switch self {
        case .oneServer(let servers): try await servers.stop()
        case .cluster(let group): try await group.stop()
        }
    }
}
