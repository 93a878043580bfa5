import GatewayCore
import RedisClient

/// Lets a user in again, with whatever token.
package struct Pardon: Script {
    package enum Answer: Hashable, Sendable {
        case pardoned
        /// The user was let in before.
        case notHeld
    }

    let user: UserID
    let settings: PresenceSettings

    package init(_ user: UserID, settings: PresenceSettings) {
        self.user = user
        self.settings = settings
    }

    package var file: RedisScript { Scripts.pardon }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.verdict(on: user)], arguments: [.milliseconds(settings.disconnectionLife)])
    }
}

extension Pardon.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notHeld
        case 1: self = .pardoned
        default: return nil
        }
    }
}
