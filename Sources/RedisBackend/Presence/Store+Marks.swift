import GatewayCore

extension Store {
    /// Tells nodes that connections of theirs were marked, once for each time that a node is named.
    func tellMarked(_ nodes: [String], life: Duration) {
        for (node, names) in Dictionary(grouping: nodes, by: { $0 }) {
            send(.add(names.count, to: node, of: keys.marked))
        }
        if !nodes.isEmpty { send(.expire(keys.marked, in: life)) }
    }
}
