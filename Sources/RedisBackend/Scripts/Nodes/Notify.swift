import RedisClient

/// Sends nodes a message over their channels in one partition; answers how many heard it there, for each node.
package struct Notify: Script {
    let nodes: [String]
    let message: [UInt8]
    let partition: Partition

    package init(_ nodes: [String], _ message: [UInt8], in partition: Partition) {
        self.nodes = nodes
        self.message = message
        self.partition = partition
    }

    package var file: RedisScript { Scripts.notify }

    package func spelled(with keys: Keys) -> ScriptCall {
        let channels = keys.node("", in: partition)
        return ScriptCall(
            keys: [keys.state(partition)],
            arguments: [keys.publish, .string(channels.name), .bytes(message)] + nodes.map { .string($0) },
            publishingOn: [channels])
    }

    package func read(_ reply: RedisReply) -> [Int]? {
        (0..<reply.count).compactMap { reply[$0].integer.map { Int($0) } }
    }
}
