import RedisClient

/// Has every grace of a partition begin anew, since Redis's clock has stepped, or none last longer than one that does.
package struct Prolong: Script {
    package enum Answer: Hashable, Sendable {
        /// So many there are.
        case prolonged(Int64)
        /// The token is no longer the caller's.
        case refused
    }

    package enum Mode: String, Sendable {
        case anew
        /// For a coordinator that has just come, and cannot know whether the clock has stepped.
        case bound
    }

    let mode: Mode
    let partition: Partition
    let token: String
    let settings: PresenceSettings

    package init(_ mode: Mode, _ partition: Partition, token: String, settings: PresenceSettings) {
        self.mode = mode
        self.partition = partition
        self.token = token
        self.settings = settings
    }

    package var file: RedisScript { Scripts.prolong }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.coordinator(partition), keys.linger(partition)],
            arguments: [
                .string(token), .milliseconds(settings.grace), .milliseconds(settings.grace + settings.roomGrace),
                .string(mode.rawValue),
            ])
    }
}

extension Prolong.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        if let count = reply.integer {
            self = .prolonged(count)
        } else if reply.string == "refused" {
            self = .refused
        } else {
            return nil
        }
    }
}
