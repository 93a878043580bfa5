import RedisClient

/// Gives a field of the deployment its value, where it has none yet; answers the value that all nodes hold.
package struct Agree: Script {
    package enum Field: String, Sendable {
        /// What session ids are signed with.
        case sessionKey
    }

    let field: Field
    let proposal: String

    package init(on field: Field, proposal: String) {
        self.field = field
        self.proposal = proposal
    }

    package var file: RedisScript { Scripts.agree }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.deployment], arguments: [.string(field.rawValue), .string(proposal)])
    }

    package func read(_ reply: RedisReply) -> String? { reply.string }
}
