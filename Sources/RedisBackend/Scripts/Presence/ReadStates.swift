import GatewayCore
import RedisClient

/// Asks of users of one partition whether they are online; answers in their order.
package struct ReadStates: Script {
    package struct State: Hashable, Sendable {
        /// Since when the user is online, in ms by Redis's clock; nil where it is not.
        package let onlineSince: Int64?
        /// In ms by Redis's clock; nil where that is not known.
        package let lastSeen: Int64?
        /// Of no meaning where the user is not online.
        package let isAway: Bool
    }

    /// What one call takes.
    package static let most = 500

    let users: [UserID]
    let partition: Partition

    package init(of users: [UserID], in partition: Partition) {
        self.users = users
        self.partition = partition
    }

    package var file: RedisScript { Scripts.states }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.online(partition), keys.seen(partition), keys.states(partition)],
            arguments: users.map { .string($0.string) })
    }

    package func read(_ reply: RedisReply) -> [State]? {
        guard reply.count == 3 * users.count else { return nil }
        return users.indices.map { index in
            State(
                onlineSince: reply[3 * index].moment, lastSeen: reply[3 * index + 1].moment,
                isAway: reply[3 * index + 2].integer == 1)
        }
    }
}
