import RedisClient

/// Makes the caller the coordinator of a partition that has none, or whose coordinator is not live any more.
package struct ClaimPartition: Script {
    package enum Answer: Hashable, Sendable {
        /// The caller's, under this token.
        case claimed(token: String)
        /// Another's, who is live.
        case heldByAnother
    }

    let partition: Partition
    let caller: Holder
    /// Every node that may coordinate; another's token is void.
    let live: [Holder]

    package init(_ partition: Partition, for caller: Holder, live: [Holder]) {
        self.partition = partition
        self.caller = caller
        self.live = live
    }

    package var file: RedisScript { Scripts.claim }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.coordinator(partition)],
            arguments: [.string(caller.description)] + live.map { .string($0.description) })
    }
}

extension ClaimPartition.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let isClaimed = reply[0].integer, let token = reply[1].string else { return nil }
        self = isClaimed == 1 ? .claimed(token: token) : .heldByAnother
    }
}
