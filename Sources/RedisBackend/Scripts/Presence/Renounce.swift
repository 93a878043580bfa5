import GatewayCore
import RedisClient

/// Gives up a node's older incarnations in a partition; answers the fence there.
package struct Renounce: Script {
    let partition: Partition
    let holder: Holder
    let settings: PresenceSettings

    package init(_ partition: Partition, holder: Holder, settings: PresenceSettings) {
        self.partition = partition
        self.holder = holder
        self.settings = settings
    }

    package var file: RedisScript { Scripts.renounce }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.fence(partition)],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .milliseconds(settings.fenceLife),
            ])
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
