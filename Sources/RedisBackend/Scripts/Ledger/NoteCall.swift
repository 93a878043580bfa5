import GatewayCore
import RedisClient

/// Notes a call of a backend; answers the entry's id.
package struct NoteCall: Script {
    /// At most 300 bytes each.
    private static let most = 10_000
    private static let life = Duration.seconds(30 * 86_400)

    private let call: BackendCall

    package init(_ call: BackendCall) {
        self.call = call
    }

    package var file: RedisScript { Scripts.audit }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.calls],
            arguments: [
                .string(call.key), .string(call.call), .string(call.whom), .count(call.status), .count(NoteCall.most),
                .milliseconds(NoteCall.life),
            ])
    }

    package func read(_ reply: RedisReply) -> String? { reply.string }
}

/// Reads calls of backends, the latest first.
package struct ReadCalls: Script {
    package struct Answer: Hashable, Sendable {
        package let calls: [NotedCall]
        /// The id of the last one; nil where there is none.
        package let last: String?
    }

    private let before: String
    private let count: Int

    /// - Parameter before: the id of an entry; empty for the latest.
    package init(before: String, count: Int) {
        self.before = before
        self.count = count
    }

    package var file: RedisScript { Scripts.audited }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: [keys.calls], arguments: [.string(before), .count(count)])
    }
}

extension ReadCalls.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        var (calls, last): ([NotedCall], String?) = ([], nil)
        for index in stride(from: 0, to: reply.count - 4, by: 5) {
            guard let id = reply[index].string, let timestamp = id.split(separator: "-").first.flatMap({ Int64($0) }),
                let key = reply[index + 1].string, let call = reply[index + 2].string,
                let whom = reply[index + 3].string, let status = reply[index + 4].string.flatMap({ Int($0) })
            else { return nil }
            calls.append(
                NotedCall(BackendCall(key: key, call: call, whom: whom, status: status), timestamp: timestamp))
            last = id
        }
        (self.calls, self.last) = (calls, last)
    }
}
