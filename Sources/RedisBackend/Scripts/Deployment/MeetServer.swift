import RedisClient

/// Tells a partition which server this is, so that its rooms' epochs are closed where it is another; answers the term.
package struct MeetServer: Script {
    let partition: Partition

    package init(in partition: Partition) {
        self.partition = partition
    }

    package var file: RedisScript { Scripts.meet }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.state(partition)], arguments: [.server])
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
