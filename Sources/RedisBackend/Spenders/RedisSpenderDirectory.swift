import GatewayCore
import RedisClient

/// Who spends most, read from what all live nodes have told.
struct RedisSpenderDirectory: SpenderDirectory {
    let store: Store
    let nodes: any NodeDirectory

    func spenders(_ kind: SpenderKind) async throws(BackendError) -> [Spender] {
        let nodes = try await nodes.nodes()
        guard !nodes.isEmpty else { return [] }
        let reports: RedisReply
        do {
            reports = try await store.link.send(
                ["MGET"] + nodes.map { .string(store.keys.spenders(of: $0.nodeId).name) })
        } catch {
            throw BackendError(error)
        }
        var sums: [ExactString: Spending] = [:]
        for index in 0..<reports.count {
            for spender in SpenderReport.decode(reports[index].string ?? "", kind) {
                sums[ExactString(spender.name), default: Spending()] += spender.spending
            }
        }
        return sums.map { Spender(name: $0.key.value, spending: $0.value) }
    }
}
