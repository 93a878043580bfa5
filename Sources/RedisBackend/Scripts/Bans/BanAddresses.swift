import GatewayCore
import RedisClient

/// Keeps a range of addresses out for a while; the range's ban before it is replaced.
package struct BanAddresses: Script {
    package enum Answer: Hashable, Sendable {
        /// Until then, in ms by Redis's clock.
        case banned(until: Int64)
        /// There are as many bans as there may be.
        case full
    }

    let range: AddressRange
    let seconds: Int
    let reason: String
    /// Bans that there may be.
    let most: Int

    package init(_ range: AddressRange, seconds: Int, reason: String, most: Int) {
        self.range = range
        self.seconds = seconds
        self.reason = reason
        self.most = most
    }

    package var file: RedisScript { Scripts.ban }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: keys.addressBans,
            arguments: [.string(range.description), .count(seconds), .string(reason), .count(most)])
    }
}

extension BanAddresses.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply[0].string {
        case "ok":
            guard let end = reply[1].integer else { return nil }
            self = .banned(until: end)
        case "full": self = .full
        default: return nil
        }
    }
}
