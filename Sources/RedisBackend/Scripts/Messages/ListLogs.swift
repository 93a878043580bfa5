import GatewayCore
import RedisClient

/// Names rooms and inboxes that have a log, of all partitions that lie on one server, some at a time.
package struct ListLogs: Script {
    package struct Answer: Sendable {
        /// Where the next call goes on; nil at the end.
        let next: Place?
        /// Of the process that has answered.
        let server: String
        let rooms: [RoomName]
    }

    package struct Place: Hashable, Sendable {
        let cursor: String
        /// A cursor is worth something to the process alone that gave it.
        let server: String
    }

    /// Keys that one call looks at, about.
    private static let part = 1000

    /// Any that lies on the server.
    let partition: Partition
    /// Nil: it begins.
    let place: Place?
    /// `redis.prefix`.
    let prefix: String

    package init(beside partition: Partition, from place: Place?, prefix: String) {
        self.partition = partition
        self.place = place
        self.prefix = prefix
    }

    package var file: RedisScript { Scripts.roomsOf }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.state(partition)],
            arguments: [
                .string(place?.cursor ?? "0"), .string(prefix), .count(ListLogs.part),
                .string(place?.server ?? ""),
            ])
    }

    /// Nil too where another process has taken the server's place meanwhile.
    package func read(_ reply: RedisReply) -> Answer? {
        guard let cursor = reply[0].string, let server = reply[1].string else { return nil }
        return Answer(
            next: cursor == "0" ? nil : Place(cursor: cursor, server: server), server: server,
            rooms: reply.strings.dropFirst(2).compactMap { RoomName(ofLog: $0, prefix: prefix) })
    }
}

extension RoomName {
    /// Whose log lies under this key, as ``Keys/log(_:)`` spells it; nil for any other.
    init?(ofLog key: String, prefix: String) {
        // Behind the prefix comes a tag of two letters, such as `:{mm}:`.
        let end = ":log"
        guard key.hasPrefix(prefix + ":{"), key.hasSuffix(end) else { return nil }
        let rest = key.dropFirst(prefix.count + 6).dropLast(end.count)
        if rest.hasPrefix("room:") {
            self.init(unchecked: String(rest.dropFirst(5)))
        } else if rest.hasPrefix("inbox:") {
            self.init(inboxOf: UserID(unchecked: String(rest.dropFirst(6))))
        } else {
            return nil
        }
    }
}
