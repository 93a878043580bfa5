import GatewayCore
import RedisClient

/// Ends the ban of a range of addresses.
package struct LiftBan: Script {
    package enum Answer: Hashable, Sendable {
        case lifted
        /// That very range is not banned.
        case notBanned
    }

    let range: AddressRange

    package init(of range: AddressRange) {
        self.range = range
    }

    package var file: RedisScript { Scripts.lift }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: keys.addressBans, arguments: [.string(range.description)])
    }
}

extension LiftBan.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notBanned
        case 1: self = .lifted
        default: return nil
        }
    }
}
