import GatewayCore
import RedisClient

/// The live nodes, read from the index.
struct RedisNodeDirectory: NodeDirectory {
    let store: Store

    func nodes() async throws(BackendError) -> [NodeEntry] {
        do {
            let time = try await store.link.send(["TIME"])
            let entries = try await store.link.send(["HGETALL", .string(store.keys.index.name)])
            guard let seconds = time[0].integer else { return [] }
            return stride(from: 0, to: entries.count - 1, by: 2).compactMap { index in
                guard let nodeId = entries[index].string, let entry = entries[index + 1].string else { return nil }
                return NodeDescription.liveNode(nodeId, entry: entry, now: seconds * 1000)
            }.sorted { $0.nodeId < $1.nodeId }
        } catch {
            throw BackendError(error)
        }
    }
}
