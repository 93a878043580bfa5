import GatewayCore
import RedisClient

/// Asks whether a fresh token of a user who is there already still counts.
package struct Admit: Script {
    let user: UserID
    /// When the token was issued, in ms; 0 where it does not say, nil where there is none.
    let issuedAt: Int64?

    package init(_ user: UserID, issuedAt: Int64?) {
        self.user = user
        self.issuedAt = issuedAt
    }

    package var file: RedisScript { Scripts.admit }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.verdict(on: user)], arguments: [.moment(issuedAt)])
    }

    package func read(_ reply: RedisReply) -> Clearance? {
        switch reply[0].string {
        case "ok": .admitted
        case "banned": .banned
        case "void": .tokenVoid
        default: nil
        }
    }
}
