/// The reason why a node cannot run on the Redis it was given; an operator must act.
package enum BackendStartError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Redis turned down the credentials, their rights or the database.
    case refused(String)
    /// Older than 7.0.
    case tooOld(version: String)
    /// The deployment was begun with another number of partitions.
    case partitions(stored: String)
    /// Another living node has this name.
    case nameTaken(nodeId: String)

    package var description: String {
        switch self {
        case .refused(let message):
            "Redis refuses the connection: \(message)"
        case .tooOld(let version):
            "Redis is \(version); 7.0 or later is needed"
        case .partitions(let stored):
            "this deployment has \(stored) partitions in Redis and this version has \(Partition.count); use another redis.prefix"
        case .nameTaken(let nodeId):
            "another living node is called \(nodeId); give each node its own nodeId"
        }
    }
}
