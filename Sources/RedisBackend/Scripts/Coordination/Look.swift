import GatewayCore
import RedisClient

/// Tells a coordinator what its partition holds that may have to be swept.
package struct Look: Script {
    package enum Answer: Sendable {
        case found(Found)
        /// The token is no longer the caller's.
        case refused
    }

    package struct Found: Sendable {
        /// By which moment graces are over, in milliseconds by Redis's clock.
        package let dueBy: Int64
        package let nextGraceEnd: Int64?
        /// Each with its node's fence; 0: none.
        package let holders: [(holder: Holder, fence: Int64)]
        /// Whose grace is over, a batch at most.
        package let due: [HeldEntry]
        /// Rooms whose host has left, the longest ago first, a few at most.
        package let vacant: [RoomName]
    }

    let partition: Partition
    let token: String
    /// How many that are due are told at most.
    let batch: Int
    /// What Redis's clock shows at most, if it has not stepped: nobody's grace is over because it has.
    let latest: Int64

    package init(at partition: Partition, token: String, latest: Int64, batch: Int = Sweep.most) {
        self.partition = partition
        self.token = token
        self.latest = latest
        self.batch = batch
    }

    package var file: RedisScript { Scripts.look }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [
                keys.coordinator(partition), keys.holders(partition), keys.linger(partition), keys.fence(partition),
                keys.vacant(partition),
            ], arguments: [.string(token), .count(batch), .integer(latest)])
    }
}

extension Look.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let dueBy = reply[1].integer, let next = reply[2].integer else { return nil }
            let holders = reply[3].pairs.compactMap { name, fence in
                name.string.flatMap(Holder.init).map { (holder: $0, fence: fence.integer ?? 0) }
            }
            self = .found(
                Look.Found(
                    dueBy: dueBy, nextGraceEnd: next < 0 ? nil : next, holders: holders,
                    due: reply[4].strings.compactMap { HeldEntry($0) },
                    vacant: reply[5].strings.map(RoomName.init(unchecked:))))
        case "refused": self = .refused
        default: return nil
        }
    }
}
