import GatewayCore

/// The live nodes, read from the index.
struct RedisNodeDirectory: NodeDirectory {
    let store: Store

    func nodes() async throws(BackendError) -> [NodeEntry] {
        do {
            let time = store.ask(.time)
            let entries = store.ask(.fields(of: store.keys.index))
            let now = try await time.answer * 1000
            return try await entries.answer.compactMap { entry in
                NodeDescription.liveNode(entry.name, entry: entry.value, now: now)
            }.sorted { $0.nodeId < $1.nodeId }
        } catch {
            throw BackendError(error)
        }
    }
}
