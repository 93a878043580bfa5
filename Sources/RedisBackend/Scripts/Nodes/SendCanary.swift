import RedisClient

/// Sends a node a message over its own channel.
package struct SendCanary: Script {
    package struct Answer: Hashable, Sendable {
        /// How many heard it.
        package let listeners: Int64
        /// As `MeetServer` tells it; empty where the partition does not know.
        package let birth: String
    }

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

}

extension SendCanary.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let listeners = reply[0].integer, let birth = reply[1].string else { return nil }
        self.init(listeners: listeners, birth: birth)
    }
}
