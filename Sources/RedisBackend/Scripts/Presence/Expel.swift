import GatewayCore
import RedisClient
import Traces
import Tracing

/// Ends all sessions of a user, marks the connections to be closed, and remembers who may not come back.
package struct Expel: Script {
    package struct Answer: Hashable, Sendable {
        package let expelled: Expelled
        /// The node of each connection that was marked.
        package let marked: [String]
        /// The connections that were in their grace.
        package let lingered: [Lingered]
    }

    package struct Lingered: Hashable, Sendable {
        package let connection: String
        package let session: SessionID
    }

    let user: UserID
    let expulsion: Expulsion
    let settings: PresenceSettings
    /// Of the call that wants it.
    private let cause = ServiceContext.current?.cause

    package init(_ user: UserID, _ expulsion: Expulsion, settings: PresenceSettings) {
        self.user = user
        self.expulsion = expulsion
        self.settings = settings
    }

    package var file: RedisScript { Scripts.close }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: user.string)
        let nodes = keys.node("", in: partition)
        let status = keys.status(of: user)
        return ScriptCall(
            keys: [
                keys.connections(of: user), keys.marks(partition), keys.verdict(on: user), keys.online(partition),
                keys.seen(partition), keys.linger(partition), keys.events(partition), keys.state(partition),
                keys.states(partition),
            ],
            arguments: [
                .count(Int(expulsion.reason.code)), .string(expulsion.text), .milliseconds(settings.sessionLife),
                keys.publish, .string(nodes.name), .string(user.string), .string(status.name),
                .count(settings.ledgerSize), expulsion.ban.map { .milliseconds($0) } ?? "",
                .moment(expulsion.tokensBefore), .milliseconds(settings.disconnectionLife),
                .milliseconds(settings.voidTokenLife), .string(cause?.text ?? ""),
            ], publishingOn: [nodes, status])
    }
}

extension Expel {
    package func read(_ reply: RedisReply) -> Answer? {
        guard let connections = reply[0].integer, let banned = reply[2].integer else { return nil }
        let words = reply[3].strings
        let lingered = stride(from: 0, to: words.count - 1, by: 2).compactMap { index in
            SessionID(secret: words[index + 1], of: user).map { Lingered(connection: words[index], session: $0) }
        }
        return Answer(
            expelled: Expelled(connections: Int(connections), bannedUntil: banned > 0 ? banned : nil),
            marked: reply[1].strings, lingered: lingered)
    }
}
