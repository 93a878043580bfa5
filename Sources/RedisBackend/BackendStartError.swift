/// The reason why a node cannot run on the Redis it was given; an operator must act.
package enum BackendStartError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Redis turned down the credentials, their rights or the database.
    case refused(String)
    /// Most sentinels know of no primary, or take no questions from this node.
    case noPrimary(String)
    /// Older than 7.0.
    case tooOld(version: String)
    /// The deployment is in a format that this release does not read.
    case foreign(prefix: String, Format.Refusal)
    /// Another living node has this name.
    case nameTaken(nodeId: String)

    package var description: String {
        switch self {
        case .refused(let message):
            "Redis refuses the connection: \(message)"
        case .noPrimary(let reason):
            "the sentinels of redis.url lead to no primary: \(reason)"
        case .tooOld(let version):
            "Redis is \(version); 7.0 or later is needed"
        case .foreign(let prefix, let refusal):
            "under redis.prefix \(prefix) \(refusal)"
        case .nameTaken(let nodeId):
            "another living node is called \(nodeId); give each node its own nodeId"
        }
    }
}
