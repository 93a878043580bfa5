import RedisClient

/// Notes of nodes that connections of theirs were marked to be closed, once for each time that a node is named; answers of
/// how many nodes that is known.
package struct TellMarked: Script {
    let nodes: [String]
    let life: Duration

    package init(_ nodes: [String], life: Duration) {
        self.nodes = nodes
        self.life = life
    }

    package var file: RedisScript { Scripts.tell }

    package func spelled(with keys: Keys) -> ScriptCall {
        var arguments: [RedisArgument] = [.milliseconds(life)]
        for (node, all) in Dictionary(grouping: nodes, by: { $0 }) { arguments += [.string(node), .count(all.count)] }
        return ScriptCall(keys: [keys.marked], arguments: arguments)
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}

extension Store {
    /// Tells nodes that connections of theirs were marked.
    func tellMarked(_ nodes: [String], life: Duration) {
        if !nodes.isEmpty { call(TellMarked(nodes, life: life)) { _ in } }
    }
}
