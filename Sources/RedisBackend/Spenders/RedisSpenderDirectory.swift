import GatewayCore

/// A directory of those who spend most, read from what all live nodes have told.
struct RedisSpenderDirectory: SpenderDirectory {
    let store: Store
    let nodes: any NodeDirectory

    func spenders(_ kind: SpenderKind) async throws(BackendError) -> [Spender] {
        let nodes = try await nodes.nodes()
        let keys = nodes.map { store.keys.spenders(of: $0.nodeId) }
        guard let first = keys.first else { return [] }
        let reports: [String?]
        do {
            reports = try await store.send(.texts(of: first, Array(keys.dropFirst())))
        } catch {
            throw BackendError(error)
        }
        var sums: [ExactString: Spending] = [:]
        for report in reports {
            for spender in SpenderReport.decode(report ?? "", kind) {
                sums[ExactString(spender.name), default: Spending()] += spender.spending
            }
        }
        return sums.map { Spender(name: $0.key.value, spending: $0.value) }
    }
}
