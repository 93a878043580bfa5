import RedisClient

/// Hands on the coordination of a partition: the next to claim it gets it.
package struct YieldPartition: Script {
    package enum Answer: Hashable, Sendable {
        case yielded
        /// The token is no longer the caller's.
        case refused
    }

    let partition: Partition
    let token: String

    package init(_ partition: Partition, token: String) {
        self.partition = partition
        self.token = token
    }

    package var file: RedisScript { Scripts.yield }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.coordinator(partition)], arguments: [.string(token)])
    }
}

extension YieldPartition.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .refused
        case 1: self = .yielded
        default: return nil
        }
    }
}
