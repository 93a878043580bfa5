import RedisClient

/// Sends a node a message over its own channel; answers how many heard it.
package struct SendCanary: Script {
    let number: Int
    let node: String
    let instance: String
    let partition: Partition

    package init(_ number: Int, to node: String, instance: String, in partition: Partition) {
        self.number = number
        self.node = node
        self.instance = instance
        self.partition = partition
    }

    package var file: RedisScript { Scripts.canary }

    package func spelled(with keys: Keys) -> ScriptCall {
        let channel = keys.node(node, in: partition)
        return ScriptCall(
            keys: [keys.state(partition)],
            arguments: [keys.publish, .string(channel.name), .string("c \(instance) \(number)")],
            publishingOn: [channel])
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
