/// An error of a command, as its caller meets it.
///
/// The texts may be logged: they hold no passwords. The message of a reply may name keys.
package enum RedisError: Error, Sendable, Equatable {
    /// The command was not sent: the link is down, or its queue is full.
    case unavailable(String)
    /// The command was sent and no reply came in time: whether it took effect is unknown.
    case timeout
    /// The command took effect, and too few replicas said in time that they have what it wrote.
    case unconfirmed
    /// Redis answered with an error that is not retried, such as `WRONGTYPE`, `OOM` or `NOREPLICAS`.
    case reply(code: String, message: String)
    /// The same to a command that was sent again after a break: it may have taken effect before. `number` is the one that it
    /// was given, both times.
    case replyToRetry(code: String, message: String, number: Int64)
    /// The peer sent what is not a reply.
    case protocolViolation(String)
    /// The link was shut down.
    case closed
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let reason): "Redis is unavailable: \(reason)"
        case .timeout: "Redis did not answer in time"
        case .unconfirmed: "too few replicas of Redis have it"
        case .reply(let code, let message), .replyToRetry(let code, let message, _): "Redis answered \(code) \(message)"
        case .protocolViolation(let reason): "Redis broke its protocol: \(reason)"
        case .closed: "the link to Redis is shut down"
        }
    }
}
