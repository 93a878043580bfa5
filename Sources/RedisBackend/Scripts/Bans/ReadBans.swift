import GatewayCore
import RedisClient

/// Reads the banned ranges of addresses.
package struct ReadBans: Script {
    package struct Answer: Hashable, Sendable {
        /// By Redis's clock, in milliseconds since 1970.
        package let now: Int64
        /// Empty where nothing was ever banned.
        package let version: String
        package let bans: [AddressBan]
    }

    package init() {}

    package var file: RedisScript { Scripts.bans }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: keys.addressBans, arguments: [])
    }
}

extension ReadBans.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let now = reply[0].integer, let version = reply[1].string else { return nil }
        self.now = now
        self.version = version
        bans = stride(from: 2, to: reply.count - 2, by: 3).compactMap { index in
            guard let range = reply[index].string.flatMap({ AddressRange($0) }), let until = reply[index + 1].integer
            else { return nil }
            return AddressBan(range: range, until: until, reason: reply[index + 2].string ?? "")
        }
    }
}
