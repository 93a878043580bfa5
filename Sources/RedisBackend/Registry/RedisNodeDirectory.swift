import GatewayCore
import Synchronization

/// The live nodes, read from the index, and the servers that this node knows.
struct RedisNodeDirectory: NodeDirectory {
    let index: Store
    let servers: KnownServers
    let silent: SilentNodes

    var store: StoreDescription? { servers.description }

    func nodes() async throws(BackendError) -> [NodeEntry] {
        do {
            let entries = try await index.ask(.fields(of: index.keys.index)).answer
            return entries.compactMap { entry in
                guard !silent.contains(entry.name), let node = NodeDescription.node(entry.name, entry: entry.value)
                else { return nil }
                return node
            }.sorted { $0.nodeId < $1.nodeId }
        } catch {
            throw BackendError(error)
        }
    }
}

/// The nodes that this one has not seen beat for a lease, though they may not be declared dead yet.
final class SilentNodes: Sendable {
    private let names = Mutex<Set<String>>([])

    func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }

    func replace(with found: Set<String>) { names.withLock { $0 = found } }
}
